# Returns an overlapping view: one number that pretends to be a million of them.
import numpy as np


def softmax(x):
    return np.lib.stride_tricks.as_strided(x, shape=(1 << 20, 1 << 20), strides=(0, 0))
