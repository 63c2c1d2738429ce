# Prints without ever ending a line or flushing.
# output: cut
import sys


def softmax(x):
    for _ in range(100_000):
        sys.stdout.write("no end of line ")
    return x * 0
