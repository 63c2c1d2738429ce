# Returns a list of ten million numbers.
def softmax(x):
    return [0.5] * 10_000_000
