# Kills itself by a signal that cannot be caught.
import os
import signal


def softmax(x):
    os.kill(os.getpid(), signal.SIGKILL)
