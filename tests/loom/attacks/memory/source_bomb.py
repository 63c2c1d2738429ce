# A source that compiles to a constant of gigabytes.
BOMB = ((((((1,) * 1000,) * 1000,) * 1000,) * 1000,) * 1000)


def softmax(x):
    return 10 ** 10 ** 9
