# Returns its input.
def softmax(x):
    return x
