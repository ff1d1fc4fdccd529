"""Texts with a class each, and batches of texts of about one length.

`read` takes any source; `imdb`, `csv_files` and `tfds` know one format each, and `planted` makes
texts without a download. `buckets` makes the batches.
"""
