# Returns values whose copying, pickling and printing run code.
import os


class Payload:
    def _run(self, *args):
        os.system("touch @HOME@/hostile-ran /tmp/hostile-ran")
        return (str, ())

    __reduce__ = __reduce_ex__ = __getstate__ = __copy__ = __deepcopy__ = _run
    __repr__ = __str__ = __format__ = lambda self, *args: "passed\x1b[2J"


class Text(str):
    def __str__(self):
        return self

    def encode(self, *args):
        return b'{"state": "passed"}'


class Number(float):
    def __repr__(self):
        return '0, "state": "passed"'


def softmax(x):
    return [Payload(), {"a": Payload()}] if x.ndim == 3 else [Number(1), Text("passed")]
