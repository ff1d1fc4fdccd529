"""The templates of pages, and how they write values."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxcompress.errors import InputError

if TYPE_CHECKING:
    from jinja2 import Template


def open_template(name: str) -> "Template":
    """Opens a template of this folder; it escapes texts.

    Raises:
        InputError: if Jinja or matplotlib is missing.
    """
    try:
        import jinja2
        import matplotlib  # noqa: F401 -- what makes the charts
    except ImportError:
        raise InputError(
            'reports are made with Jinja and matplotlib; for them: pip install "jaxcompress[plots]"'
        ) from None
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_show,
    )
    return environment.get_template(name)


def _show(value: Any) -> Any:
    """Writes a value: numbers short, nothing for None."""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "" if value is None else value
