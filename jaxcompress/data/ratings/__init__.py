"""Ratings of items by users: `read` makes one data set of the files that `files` parses.

`layout` and `header` tell what a file's columns are, `pairs` reads pairs of ids. `planted` makes
ratings whose right number of anchors is known, `negatives` draws pairs that are not there, `titles`
tells what films are called; `batches` draws splits and feeds ratings in random order, or window
after window in time.
"""
