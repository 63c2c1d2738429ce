# A null pointer through ctypes.
import ctypes


def softmax(x):
    ctypes.string_at(0)
