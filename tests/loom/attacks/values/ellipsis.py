# Returns things that are equal to themselves only.
def softmax(x):
    return ... if x.ndim == 2 else type
