# Returns an integer with millions of digits, which takes minutes to print.
def softmax(x):
    return 7 ** 20_000_000
