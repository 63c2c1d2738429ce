# One call into C that takes a minute and holds the interpreter's lock.
def softmax(x):
    return pow(7, 7**9) % 10
