"""The page of a run, `report.html`: what a page is made of, its template, charts and pictures.

A page loads nothing: styles and pictures are in it, there are no scripts, and colours follow the
reader's choice of light or dark. Methods make its sections, in their `report.py`. Jinja and
matplotlib, the extra `plots`, are imported where they are used.
"""
