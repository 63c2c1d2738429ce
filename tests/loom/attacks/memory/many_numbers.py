# Returns a list that is small in its process and large as text.
def softmax(x):
    return [-1.2345678901234567e-300] * 1_200_000
