"""Words that the mission has, and what somebody may have meant who wrote another one."""

import difflib
from collections.abc import Iterable, Mapping

from wire.errors import Malformed, quoted


def check_terms(what: str, words: Iterable[str], known: Mapping[str, str]) -> None:
    """Refuse a word that the mission does not have, and say which one may have been meant.

    `known` is code and name. Raises `Malformed` ("unknown-term").
    """
    for word in words:
        if word not in known:
            meant = _meant(word, known)
            hint = f"; did you mean {meant} {known[meant]}".rstrip() if meant else ""
            raise Malformed("unknown-term", f"the {what} {quoted(word)}{hint}")


def _meant(word: str, known: Mapping[str, str]) -> str | None:
    """The code that looks or sounds most like a word: by its beginning, its name, its letters."""
    low = word.lower()
    starts = (code for code in known if code.lower().startswith(low))
    if low and (code := next(starts, None)):
        return code
    spelled = {name.lower(): code for code, name in known.items() if name}
    spelled |= {code.lower(): code for code in known}
    close = difflib.get_close_matches(low, spelled, n=1)
    return spelled[close[0]] if close else None
