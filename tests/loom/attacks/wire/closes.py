# Closes every file that is open.
import os

os.closerange(0, 4096)


def softmax(x):
    return x * 0
