"""One nation's texts, before and after, made ready to be compared.

Until a nation signs again, its layers are asked under the reference data that it pinned and under
today's, and the lower answer counts; so that is what a new signature is compared with.
"""

from collections.abc import Mapping

from policies.analyse.ground import BEFORE, NOW, Variable, allowed
from policies.analyse.mission import NOTHING, Readings
from policies.decide import PolicyBook
from policies.formula import Formula
from policies.layers import Layer
from wire.errors import Malformed
from wire.vocabulary import Vocabulary

LAYERS = ("release", "accept")


def standing(
    texts: Mapping[str, str], owner: str, book: PolicyBook, pinned: Vocabulary | None
) -> Mapping[str, Readings]:
    """The layers that stand: these texts under today's words, and under those they are pinned to.

    Without a text, or where the words no longer fit it, a layer lets nothing through.
    """
    books: list[tuple[PolicyBook, Variable]] = [(book, NOW)]
    if pinned is not None and pinned != book.vocabulary:
        books.append((PolicyBook.empty(pinned), BEFORE))
    found: dict[str, Readings] = {}
    for kind in LAYERS:
        try:
            found[kind] = tuple(
                (_read(kind, owner, texts[kind], one), variable) for one, variable in books
            )
        except (KeyError, Malformed):
            found[kind] = NOTHING
    return found


def _read(kind: str, owner: str, text: str, book: PolicyBook) -> Formula:
    return allowed(book.with_layer(kind, owner, text).layers[kind, owner].rules)


def guarantees(book: PolicyBook, owner: str, text: str) -> Layer | None:
    """A nation's guarantees, read as the layer that they are about; None if there are none.

    Raises `Malformed` ("policy-refused") for a text outside the release profile.
    """
    if not text.strip():
        return None
    return book.with_layer("release", owner, text).layers["release", owner]
