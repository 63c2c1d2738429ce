# Prints a hundred megabytes.
# output: cut
def softmax(x):
    for _ in range(1000):
        print("passed " * 15_000)
    return x * 0
