# A dictionary that contains itself, under keys that are not text.
def softmax(x):
    result = {(1, 2): x, 3: None, None: 4}
    result["self"] = result
    return result
