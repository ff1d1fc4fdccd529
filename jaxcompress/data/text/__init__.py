"""Running text: read as ids of words, and cut into batches for a language model.

`corpus` reads the three splits of a text, `lanes` makes their batches, `stdlib` finds the English
that every CPython carries. `tokenizer` takes texts apart as a classifier reads them, with
punctuation marks as tokens of their own.
"""
