"""How things are stored, whoever stores them: the lowest folder, which knows NumPy only.

`places` finds paths, also in an object store, `atomic` writes a file whole or not at all, `growing`
keeps files that are appended to, `tensors` reads and writes .safetensors files with a
hash, `bits` packs codes, `names` packs and checks the names of rows, `ids` checks row numbers and
ranks them. Nothing here knows what a table, a method or a device is.
"""
