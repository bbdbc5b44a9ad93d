"""The detail of a card as HTML: GitHub-flavored Markdown, and nothing active."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from cds_service.sandbox.page.card_detail import render_detail
from tests.html_page import Page

ALLOWED_ATTRIBUTES = {"href", "title", "rel", "target", "start"}


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        pytest.param("**a** *b* ~~c~~ `d`", "<strong>a</strong> <em>b</em> <s>c</s> <code>d</code>", id="emphasis"),
        pytest.param("- a\n- b", "<li>a</li>", id="a list"),
        pytest.param("3. a", '<ol start="3">', id="a numbered list"),
        pytest.param("|a|b|\n|-|-|\n|1|2|", "<td>2</td>", id="a table"),
        pytest.param(
            "[a](https://a.example/b)",
            '<a href="https://a.example/b" target="_blank" rel="noopener noreferrer">a</a>',
            id="a link, in a tab of its own",
        ),
        pytest.param("a\nb", "<p>a\nb</p>", id="a single line break stays one"),
    ],
)
def test_markdown_is_rendered(markdown: str, html: str) -> None:
    assert html in render_detail(markdown)


@pytest.mark.parametrize(
    "markdown",
    [
        pytest.param("<script>alert(1)</script>", id="a script"),
        pytest.param("<img src=x onerror=alert(1)>", id="an image with a handler"),
        pytest.param("![x](https://a.example/pixel.png)", id="an image, which would tell who reads"),
        pytest.param("[x](javascript:alert(1))", id="a javascript: link"),
        pytest.param("[x](java&#115;cript:alert(1))", id="a javascript: link in disguise"),
        pytest.param("[x](data:text/html,<script>alert(1)</script>)", id="a data: link"),
        pytest.param("[x](vbscript:x)", id="a vbscript: link"),
        pytest.param("[x](//a.example)", id="a link without a scheme"),
        pytest.param("<style>*{display:none}</style>", id="a style"),
        pytest.param('<p style="position:fixed" onclick=alert(1) id=x class=y>', id="attributes"),
        pytest.param("<iframe src=//a.example></iframe><object></object><form action=//a.example>", id="frames"),
        pytest.param("<svg onload=alert(1)><math><mtext></mtext></math></svg>", id="SVG"),
        pytest.param('[x](https://a.example "t\\" onmouseover=\\"alert(1)")', id="a title that ends early"),
        pytest.param("|a|\n|:-|\n|<b onclick=x>|", id="in a table"),
        pytest.param("\x00<scr\x00ipt>", id="NUL"),
    ],
)
def test_nothing_in_it_can_act(markdown: str) -> None:
    page = Page(render_detail(markdown))
    assert not page.names() & {"script", "img", "style", "iframe", "object", "form", "svg", "math", "input"}
    assert {name for _, attributes in page.tags for name in attributes} <= ALLOWED_ATTRIBUTES
    assert all(href.startswith("https://") for href in page.attributes("href"))


def test_the_page_gets_details_in_the_order_it_sent_them(reader: FlaskClient) -> None:
    assert reader.post("/sandbox/details", json=["*a*", "", "b"]).get_json() == [
        "<p><em>a</em></p>\n",
        "",
        "<p>b</p>\n",
    ]
    assert reader.post("/sandbox/details", json={"a": 1}).status_code == 400
