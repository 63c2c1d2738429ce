# Ten gigabytes at once.
def softmax(x):
    held = bytearray(10 << 30)
    return x * len(held)
