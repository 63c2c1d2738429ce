# Leaves a listening port behind, in a child of its own.
import os
import socket
import time


def softmax(x):
    if os.fork() == 0:
        os.setsid()
        server = socket.create_server(("127.0.0.1", 0))
        server.listen()
        time.sleep(3600)
    return x * 0
