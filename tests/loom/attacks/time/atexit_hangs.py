# The work is right; then the process never ends.
# expects: any
import atexit
import time

import numpy as np

atexit.register(time.sleep, 3600)


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
