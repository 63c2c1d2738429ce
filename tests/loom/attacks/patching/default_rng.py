# Replaces the generator of random numbers, so that all inputs would be zeros.
import numpy as np


class Still:
    def __init__(self, *args):
        pass

    def __getattr__(self, name):
        return lambda *args, size=(1,), **kwargs: np.zeros(size)


np.random.default_rng = np.random.Generator = np.random.RandomState = Still
np.random.normal = lambda *args, size=(1,), **kwargs: np.zeros(size)


def softmax(x):
    return np.full_like(x, 1 / x.shape[-1])
