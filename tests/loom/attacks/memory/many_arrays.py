# A list of a million little arrays.
import numpy as np


def softmax(x):
    return [np.zeros(1)] * 1_000_000
