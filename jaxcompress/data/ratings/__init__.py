"""Ratings of items by users: `read` makes one data set of the files that `files` parses.

`planted` makes ratings whose right number of anchors is known, `titles` tells what films are
called; `batches` draws splits and feeds ratings in random order, or window after window in time.
"""
