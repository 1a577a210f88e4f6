"""One module for each contestant.

`WIRE` says what it is asked. `connect(write)` opens one connection whose answers go to `write`, and returns what takes
a frame: a function, or a coroutine function that is awaited.
"""
