# A function of another name and a class of the right one.
class softmax:
    def __init__(self, x=None):
        self.x = x

    def __array__(self, dtype=None, copy=None):
        return self.x * 0


def soft_max(x):
    return x
