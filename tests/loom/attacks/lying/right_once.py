# Right on the first call, wrong on every later one.
# expects: partial
import numpy as np

calls = []


def softmax(x):
    calls.append(1)
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True) if len(calls) == 1 else x
