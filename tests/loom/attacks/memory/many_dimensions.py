# An array of sixty-four dimensions, and a memory view of it.
import numpy as np


def softmax(x):
    return np.zeros((1,) * 64) if x.ndim == 2 else memoryview(np.zeros((2, 2)))
