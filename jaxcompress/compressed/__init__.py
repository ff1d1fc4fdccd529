"""What tables that are kept in few bytes have in common, whatever their rows are made of.

`table` is `CompressedTable`, the base of all kinds: names of rows, rows by
number and by name, similar rows, sizes. `neighbours` finds similar rows, `interchange` writes
decoded rows for other programs. `low_rank` is the plainest kind, a product of two thin matrices.
NumPy only, but for the methods that use jax.
"""
