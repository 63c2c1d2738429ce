# Prints and returns text that no encoding can write.
# output: plain
import sys


def softmax(x):
    sys.stdout.reconfigure(errors="surrogatepass")
    print("\ud800\udfff\0")
    return "\ud800"
