# A thread that is not a daemon keeps the interpreter from ending.
# expects: any
import threading
import time

import numpy as np

threading.Thread(target=time.sleep, args=(3600,)).start()


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
