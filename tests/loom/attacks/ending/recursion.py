# Raises the limit of recursion, then recurses until the stack is gone.
import sys

sys.setrecursionlimit(2**30)


def softmax(x):
    class Deep:
        def __repr__(self):
            return repr(self)

        def __getattr__(self, name):
            return getattr(self, name + "x")

    def down(n):
        return [down(n + 1)][0] if n else sorted([1, 2], key=lambda _: down(n + 1))

    return down(0)
