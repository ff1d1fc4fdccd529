"""Parts of pages as the output of a notebook's cell, on light paper whatever the notebook's is."""

from typing import TYPE_CHECKING

from jaxcompress.engine.page.page import Section
from jaxcompress.engine.page.palette import css
from jaxcompress.engine.page.template import open_template
from jaxcompress.engine.page.text import clean

if TYPE_CHECKING:
    from IPython.display import HTML


def show(*sections: Section) -> "HTML":
    """Lays sections of a page out below each other, for the last line of a notebook's cell.

    Raises:
        InputError: if Jinja or matplotlib is missing.
    """
    from IPython.display import HTML  # here, since it is there in notebooks only

    template = open_template("notebook.html")
    return HTML(clean(template.render(sections=sections, css=css())))
