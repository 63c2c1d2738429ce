# SIGABRT to itself, with faulthandler writing to every open file.
import faulthandler
import os

faulthandler.enable(file=2, all_threads=True)


def softmax(x):
    os.abort()
