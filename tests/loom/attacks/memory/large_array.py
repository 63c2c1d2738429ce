# Returns an array that is just small enough to be sent.
import numpy as np


def softmax(x):
    return np.zeros(30_000_000)
