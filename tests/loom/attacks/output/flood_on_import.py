# Prints for ever while it is imported.
# output: cut
while True:
    print("passed")
