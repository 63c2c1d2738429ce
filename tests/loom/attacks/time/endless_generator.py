# Returns a generator without an end.
def softmax(x):
    while True:
        yield x
