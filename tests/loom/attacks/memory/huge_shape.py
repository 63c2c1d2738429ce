# Returns an empty array whose shape is enormous.
import numpy as np


def softmax(x):
    return np.empty((1 << 31, 0, 1 << 30))
