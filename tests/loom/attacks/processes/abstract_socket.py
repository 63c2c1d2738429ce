# Leaves a listening socket without a file, and a message queue of System V.
# needs: namespaces
import ctypes
import os
import socket
import time


def softmax(x):
    ctypes.CDLL(None).shmget(0x10CA1, 1 << 20, 0o1666)
    if os.fork() == 0:
        os.setsid()
        server = socket.socket(socket.AF_UNIX)
        server.bind("\0hostile")
        server.listen()
        time.sleep(3600)
    return x * 0
