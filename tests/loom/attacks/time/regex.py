# A regular expression that takes for ever and cannot be interrupted.
import re


def softmax(x):
    return re.match(r"(a*)*b", "a" * 64)
