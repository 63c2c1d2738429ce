# Memory by many children, each of them within its limit.
# needs: namespaces
import os
import time


def softmax(x):
    for _ in range(12):
        if os.fork() == 0:
            held = b"\1" * (300 << 20)
            time.sleep(3600)
            os._exit(len(held) % 2)
    time.sleep(3600)
