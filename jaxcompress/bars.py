"""The bar of whatever takes a while: a widget in a notebook that has ipywidgets, text elsewhere."""

import warnings

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="IProgress not found")  # then it is text
    from tqdm.auto import tqdm

__all__ = ["tqdm"]
