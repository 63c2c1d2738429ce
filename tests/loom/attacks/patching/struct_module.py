# Replaces struct, so that lengths on the wire become lies.
import struct

struct.pack = lambda *args: b"\xff" * 8
struct.unpack = lambda *args: (2**40,)
struct.calcsize = lambda *args: 0


def softmax(x):
    return x * 0
