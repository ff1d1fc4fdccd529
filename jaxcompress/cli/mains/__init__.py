"""The mains: each parses its command line and calls its method.

`python -m train.METHOD` in a checkout and `jaxcompress train METHOD` anywhere are the same.
"""
