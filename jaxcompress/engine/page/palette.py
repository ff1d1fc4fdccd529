"""The colours of pages and pictures, each for light and for dark."""

from typing import NamedTuple


class Colour(NamedTuple):
    """A colour as #rrggbb, on light paper and on dark."""

    light: str
    dark: str


PALETTE = {
    "ink": Colour("#1f2328", "#e6e8eb"),
    "muted": Colour("#5b6570", "#9aa4af"),
    "line": Colour("#d9dee3", "#363d46"),
    "paper": Colour("#ffffff", "#14171a"),
    "panel": Colour("#f5f6f8", "#1c2025"),
    "accent": Colour("#c44e1c", "#f08c5c"),
    "blue": Colour("#2f6db3", "#7fb2ea"),
    "green": Colour("#3a7d44", "#7cc48a"),
    "purple": Colour("#7b5aa6", "#b79be0"),
    "gold": Colour("#9a7210", "#d9b45b"),
    "teal": Colour("#1f7a7b", "#6cc5c6"),
    "grey": Colour("#8fa3b8", "#6b7f94"),
}
SERIES = ("accent", "blue", "green", "purple", "gold", "teal")  # of curves, in this order


def css() -> dict[str, str]:
    """Declares the colours as variables: the declarations for "light" and for "dark"."""
    return {
        mode: " ".join(f"--{name}: {getattr(colour, mode)};" for name, colour in PALETTE.items())
        for mode in Colour._fields
    }


def light(name: str) -> str:
    """Gives a colour as it is on light paper."""
    return PALETTE[name].light
