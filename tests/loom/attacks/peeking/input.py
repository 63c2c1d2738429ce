# Asks the person at the keyboard.
def softmax(x):
    return [float(word) for word in input("What is the answer? ").split()]
