# Leaves a block of shared memory behind.
# needs: namespaces
from multiprocessing import resource_tracker, shared_memory

resource_tracker.register = lambda *args: None


def softmax(x):
    try:
        block = shared_memory.SharedMemory("hostile-block", create=True, size=64 << 20)
        block.buf[:] = b"\1" * (64 << 20)
    except OSError:
        pass
    return x * 0
