"""What every report must be: well-formed, whole in itself, without scripts."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

_VOID = {"meta", "link", "br", "img", "hr", "input"}


class _Checker(HTMLParser):
    """Follows the tags: each must be closed in turn, none may load or run anything."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.ids = [], [], []

    def handle_starttag(self, tag, attributes):
        assert tag not in ("script", "link", "iframe", "img", "object"), tag
        if tag not in _VOID:
            self.open.append(tag)
        for name, value in attributes:
            assert not name.startswith("on"), (tag, name)
            if name.endswith("href") or name == "src":
                assert value.startswith("#"), (tag, value)
            if name == "id":
                self.ids.append(value)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def check(file, most_bytes=600_000):
    """Checks a page; returns the text in it, and its <svg> elements, parsed."""
    assert file.stat().st_size < most_bytes
    page = file.read_text("utf-8")
    checker = _Checker()
    checker.feed(page)
    checker.close()
    assert not checker.open
    assert page.startswith("<!DOCTYPE html>")
    assert "prefers-color-scheme: dark" in page
    for outside in ("@import", "url(http", "url(//", "src="):
        assert outside not in page
    assert set(re.findall(r"https?://[^\"\s<]+", page)) <= {
        "http://www.w3.org/2000/svg",  # names of XML, which nothing loads
        "http://www.w3.org/1999/xlink",
    }
    colours = set(re.findall(r"#[0-9a-f]{6}", page.partition("</style>")[2]))
    assert not colours - {"#ffffff", "#000000"}, "each follows light and dark"
    pictures = [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", page, re.S)]
    assert all(picture.get("aria-label") for picture in pictures)
    return "".join(checker.text), pictures
