# A list that contains itself.
def softmax(x):
    result = []
    result.append(result)
    return result
