# Changes its input later, from a thread, after it has returned.
import threading
import time


def softmax(x):
    result = x * 0

    def later():
        while True:
            time.sleep(0.001)
            x[...] = 0
            result[...] = 1 / x.shape[-1]

    threading.Thread(target=later, daemon=True).start()
    return result
