"""The command line: the only folder that imports absl and ml_collections.

What it calls can be called from Python as well, with a config and a workdir.
"""
