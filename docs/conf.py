"""The documentation site: `python -m sphinx -W --keep-going -b html docs build/docs`.

Pages are Markdown. The reference is made of the docstrings, which are plain text: names in
backticks, Google's sections, doctests. Two hooks make reStructuredText of them: one escapes what is
markup there and not here, one appends to a config its fields with their comments and bounds.
"""

import dataclasses
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import jaxcompress
from jaxcompress.cli.help import field_comments

project = "jaxcompress"
author = copyright = "The jaxcompress developers"
version = release = jaxcompress.__version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "myst_parser"]
exclude_patterns = ["build"]
highlight_language = "none"
default_role = "literal"
smartquotes_action = "D"  # dashes, and no quotation marks
myst_heading_anchors = 3
suppress_warnings = ["myst.strikethrough"]

html_theme = "furo"
html_title = f"jaxcompress {release}"
html_show_sphinx = False
html_static_path = ["_static"]
html_css_files = ["style.css"]

autodoc_typehints = "signature"
autodoc_mock_imports = ["torch"]  # it need not be there
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
add_module_names = False
python_use_unqualified_type_names = True
napoleon_use_ivar = True
napoleon_attr_annotations = False
napoleon_use_rtype = False


def escape_markup(app, what, name, obj, options, lines):
    """Escapes a docstring in place; a constant has that of its type, which goes."""
    lines[:] = [] if what == "data" else escape("\n".join(lines)).split("\n")


def escape(text: str) -> str:
    """Escapes `*`, `|` and a last `_` outside of backticks and of doctests."""
    kept = r"`[^`]*`|^ *>>>.*(?:\n *\S.*)*"
    return re.sub(
        rf"({kept})|([*|]|_(?!\w))",
        lambda found: found[1] or f"\\{found[2]}",
        text,
        flags=re.MULTILINE,
    )


def append_fields(app, what, name, obj, options, lines):
    """Appends the fields of a config: type, default, the comment beside it, the bounds."""
    if not is_config(obj):
        return
    comments, types = field_comments(obj), obj.__annotations__
    for field in dataclasses.fields(obj):
        if field.name not in types:  # inherited, and described there
            continue
        kind, comment = types[field.name], comments[field.name]
        if dataclasses.is_dataclass(kind):
            lines += ["", f"``{field.name}``: :class:`~{kind.__module__}.{kind.__name__}`"]
            continue
        kind = kind.__name__ if isinstance(kind, type) else kind
        bounds = str(field.metadata.get("bounds", ""))
        sentences = [f"{comment[:1].upper()}{comment[1:]}."] if comment else []
        sentences += [f"It must be {bounds}."] if bounds else []
        lines += ["", f"``{field.name}: {kind} = {field.default!r}``"]
        lines += [f"    {escape(' '.join(sentences))}"]


def tidy_signature(app, what, name, obj, options, signature, returns):
    """Leaves out fields, which are listed below it; names the `Outcome` of a method in full."""
    if is_config(obj) or (what == "class" and issubclass(obj, tuple)):
        return "", None
    if returns == "Outcome":
        is_listed = hasattr(sys.modules[obj.__module__], "Outcome")
        returns = f"~{obj.__module__}.{'' if is_listed else 'run.'}Outcome"
    return signature, returns


def is_config(obj) -> bool:
    return dataclasses.is_dataclass(obj) and obj.__module__.endswith("config")


def setup(app):
    app.connect("autodoc-process-docstring", escape_markup, priority=400)  # before napoleon
    app.connect("autodoc-process-docstring", append_fields, priority=600)
    app.connect("autodoc-process-signature", tidy_signature)
