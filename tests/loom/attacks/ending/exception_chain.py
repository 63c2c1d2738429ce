# A chain of ten thousand exceptions, each the cause of the next, the last of the first.
def softmax(x):
    first = error = ValueError("one")
    for _ in range(10_000):
        after = ValueError("and another")
        after.__cause__ = error
        error = after
    first.__context__ = error
    raise error
