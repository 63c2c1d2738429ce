# Returns nothing.
def softmax(x):
    return None
