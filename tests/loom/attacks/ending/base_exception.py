# Raises an exception outside of Exception whose text runs code and fails.
import os


class Odd(BaseException):
    def __str__(self):
        os._exit(0)

    __repr__ = __str__

    @property
    def __traceback__(self):
        os._exit(0)


def softmax(x):
    raise Odd
