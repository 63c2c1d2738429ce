# Kills its process group.
# needs: namespaces
import os
import signal


def softmax(x):
    os.killpg(0, signal.SIGKILL)
    return x * 0
