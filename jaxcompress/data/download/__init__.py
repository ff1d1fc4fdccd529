"""The command `jaxcompress download NAME`: fetches a data set if asked to.

`sources` lists what there is, `transfer` fetches one file, `archives` unpacks it, and `command`
puts them together.
"""
