# A file with holes, a terabyte long.
import os


def softmax(x):
    with open("hostile-sparse", "wb") as file:
        os.truncate(file.fileno(), 1 << 40)
    return x * 0
