# A hundred thousand lists, one inside the other.
def softmax(x):
    result = []
    for _ in range(100_000):
        result = [result]
    return result
