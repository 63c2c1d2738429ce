# Sleeps, using no processor time, for as long as it may.
import time


def softmax(x):
    while True:
        time.sleep(3600)
