"""A matplotlib figure as SVG that stands in our page: its colors are the page's, and it needs no style of its own.

matplotlib writes each color into a style attribute. Here every color of COLORS becomes a class instead, so that one
drawing is right in light, dark and print, and so that the page's policy need not allow style attributes. The text stays
text: a reader can search, copy and enlarge it.
"""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree

import matplotlib
from matplotlib.figure import Figure

# matplotlib draws with these stand-ins; page.css says what each is in light, dark and print
COLORS = {
    "ink": "#010101",
    "muted": "#020202",
    "line": "#030303",
    "paper": "#040404",
    "accepted": "#050505",
    "overridden": "#060606",
    "unanswered": "#070707",
    "point": "#080808",
}
_CLASSES = {color: name for name, color in COLORS.items()}
_SVG = "http://www.w3.org/2000/svg"
_XLINK = "{http://www.w3.org/1999/xlink}href"
_FONT = re.compile(r"(?:(bold|\d{3}) )?([\d.]+)px")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
# fixed, so that the same numbers give the same file
_SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "cds-service",
    "font.family": "DejaVu Sans",
    "hatch.linewidth": 0.8,
}


def settings() -> dict[str, object]:
    """matplotlib's settings under which a figure must be drawn and written."""
    return dict(_SETTINGS)


def as_svg(figure: Figure, name: str, title: str, description: str) -> str:
    """The figure as an `svg` element: `title` and `description` for those who do not see it; ids begin with `name`."""
    written = io.StringIO()
    with matplotlib.rc_context(_SETTINGS):  # type: ignore[arg-type]
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    ElementTree.register_namespace("", _SVG)
    root = ElementTree.fromstring(written.getvalue())  # noqa: S314 - what matplotlib has just written
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)
    for element in root.iter():
        _rename_ids(element, name)
        _unstyle(element)
    for unwanted in ("width", "height", "version"):
        root.attrib.pop(unwanted, None)
    root.attrib.update({"role": "img", "aria-labelledby": f"{name}-title {name}-description"})
    for place, (tag, suffix, text) in enumerate((("title", "title", title), ("desc", "description", description))):
        element = ElementTree.Element(f"{{{_SVG}}}{tag}", {"id": f"{name}-{suffix}"})
        element.text = text
        root.insert(place, element)
    return ElementTree.tostring(root, encoding="unicode")


def _rename_ids(element: ElementTree.Element, name: str) -> None:
    """Make ids the figure's own: several stand in one page. Nothing refers to those of groups."""
    if element.tag == f"{{{_SVG}}}g":
        element.attrib.pop("id", None)
    elif "id" in element.attrib:
        element.set("id", f"{name}-{element.attrib['id']}")
    if reference := element.attrib.pop(_XLINK, None):
        element.set("href", f"#{name}-{reference.removeprefix('#')}")
    for attribute, text in element.attrib.items():
        element.set(attribute, _REFERENCE.sub(rf"url(#{name}-\1)", text))


def _unstyle(element: ElementTree.Element) -> None:
    """Declarations of the style attribute, and colors, as attributes and classes."""
    declarations = dict(part.split(":", 1) for part in element.attrib.pop("style", "").split(";") if ":" in part)
    for key, text in declarations.items():
        element.set(key.strip(), text.strip())
    if font := _FONT.match(element.attrib.pop("font", "")):
        element.set("font-size", font[2])
        if font[1]:
            element.set("font-weight", font[1])
    for unwanted in ("font-family", "font-variant", "font-stretch", "font-style"):
        element.attrib.pop(unwanted, None)
    classes = []
    for paint in ("fill", "stroke"):
        if named := _CLASSES.get(element.attrib.get(paint, "")):
            classes.append(f"{paint}-{named}")
            del element.attrib[paint]
    if classes:
        element.set("class", " ".join(classes))
