# Children that replace each other faster than they can be counted.
# needs: namespaces
import os
import time


def softmax(x):
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            if os.fork():
                os._exit(0)
            os.setsid()
        except OSError:
            time.sleep(0.001)
