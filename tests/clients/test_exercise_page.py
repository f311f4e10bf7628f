"""The result of an exercise as a page: all of it is there, and none of it is more than text."""

from html.parser import HTMLParser

from clients.exercises import plan
from clients.exercises.page import page
from clients.exercises.score import Ledger, Reading, Told, score

TRICK = '<script>alert(1)</script><img src=x onerror=y>&"'


class Tags(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.said = set[str](), ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not {name for name, _ in attrs} & {"src", "href", "onerror", "onclick"}

    def handle_data(self, data: str) -> None:
        self.said += data


def test_foreign_text_is_text_and_the_page_asks_nobody() -> None:
    written = plan.read("ceasefire")
    setting = written.exercise.model_copy(update={"name": TRICK, "about": TRICK})
    told = [Told(7, "KEN", f"report {TRICK}", TRICK, expected=False)]
    ledger = Ledger(own={"a": "KEN"}, told=told, readings=[Reading("a", "GBR", 1)])
    made = page(written.model_copy(update={"exercise": setting}), told, score(ledger))
    seen = Tags(made)
    assert seen.tags <= {
        "html",
        "meta",
        "title",
        "style",
        "p",
        "h1",
        "h2",
        "table",
        "tr",
        "th",
        "td",
    }
    assert seen.said.count(TRICK) == 5
    assert "not as expected" in seen.said
    assert "default-src 'none'" in made


def test_what_did_not_happen_is_said_to_be_none() -> None:
    said = Tags(page(plan.read("piracy"), [], score(Ledger()))).said
    assert said.count("none") >= 5
    assert "as expected" in said
    assert "not as expected" not in said
