"""Word vectors, and how much each row counts.

`files` reads them from every format, with `text` for those that are parsed; `weights` reads row
weights, and `stdlib` makes vectors without a download.
"""
