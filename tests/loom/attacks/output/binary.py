# Writes bytes that are no text.
# output: cut
import os


def softmax(x):
    for _ in range(200):
        os.write(1, bytes(range(256)) * 100)
        os.write(2, b"\xff\xfe\x00" * 1000)
    return x * 0
