# An async function: its result is a coroutine, which nobody awaits.
async def softmax(x):
    return x
