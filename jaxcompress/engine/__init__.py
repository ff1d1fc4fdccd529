"""What every run needs, whatever its method: the protocol, the loop, devices, checkpoints, reports.

A method gives a `Task` (pure functions), a `Feed` of batches and a config; `loop.fit` trains them.
Nothing here knows a method, its fields or its figures by name.
"""
