"""The words that a policy names, looked up in the mission's vocabulary.

A word that is not there is an error with a suggestion: left to itself, Cedar would let a rule about
it stand, and the rule would never apply.
"""

import difflib
from collections.abc import Mapping

from cedarpy import pst

from wire.errors import quoted

Terms = Mapping[str, frozenset[str]]
"""The words that may be named, by entity type."""


class OutsideProfileError(ValueError):
    """A construct that the profile does not have; `rule` is the lint rule's name."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


def named_uids(expr: pst.Expr) -> list[pst.EntityUid]:
    """The words of one `Type::"word"`, or of a list of them. Raises `OutsideProfileError`."""
    elements = expr.elements if isinstance(expr, pst.Set) else (expr,)
    uids = [element.value for element in elements if isinstance(element, pst.EntityLit)]
    if not uids or len(uids) != len(elements):
        raise outside_profile()
    if len({uid.type for uid in uids}) > 1:
        raise OutsideProfileError(
            "mixed-list", "a list holds one kind of words: write two tests, joined with ||"
        )
    return uids


def named_word(uid: pst.EntityUid, of: str, terms: Terms) -> str:
    """The word, which must be of the type `of`. Raises `OutsideProfileError`."""
    if str(uid.type) != of:
        raise OutsideProfileError(
            "unknown-term", f"expected a {of} here, not {quoted(str(uid.type))}"
        )
    return known_word(uid, terms)


def known_word(uid: pst.EntityUid, terms: Terms) -> str:
    """The word, which the vocabulary must have. Raises `OutsideProfileError`."""
    known = terms[str(uid.type)]
    if uid.id in known:
        return uid.id
    close = difflib.get_close_matches(uid.id[:80], sorted(known), n=1)
    hint = f"; did you mean {quoted(close[0])}" if close else ""
    raise OutsideProfileError(
        "unknown-term",
        f"the mission's vocabulary has no {uid.type} {quoted(uid.id)}{hint}",
    )


def outside_profile() -> OutsideProfileError:
    """What is said about any expression that the profile does not have."""
    return OutsideProfileError(
        "expression",
        "not in the release profile: join tests of recipient, report and context"
        " with && || ! if-then-else, and compare an attribute with a constant",
    )
