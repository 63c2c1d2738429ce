# Changes its input so that it equals the wrong result.
def softmax(x):
    x[...] = 0
    x.setflags(write=False)
    x.shape = (x.size,)
    return x
