"""The detail of a card as HTML: GitHub-flavored Markdown, as an EHR shows it, with nothing in it that could act."""

from __future__ import annotations

import nh3
from markdown_it import MarkdownIt

_MARKDOWN = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"])
_TAGS = {
    "p", "br", "hr", "ul", "ol", "li", "strong", "em", "del", "s", "code", "pre", "blockquote", "a",
    "h1", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
_LINK_REL = "noopener noreferrer"


def render_detail(markdown: str) -> str:
    """The HTML of one detail. Raw HTML shows as text; of links only http and https are left; no image is loaded."""
    return nh3.clean(
        _MARKDOWN.render(markdown),
        tags=_TAGS,
        attributes={"a": {"href", "title"}, "ol": {"start"}},
        attribute_filter=_kept,
        link_rel=_LINK_REL,
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )


def _kept(tag: str, attribute: str, value: str) -> str | None:
    """Absolute links alone: a card is shown on pages of other hosts, where a relative one would lead anywhere."""
    return value if attribute != "href" or value.lower().startswith(("http://", "https://")) else None
