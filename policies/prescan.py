"""What a policy text must be before any parser may see it.

Cedar's parser is native code: 800 nested brackets or a chain of 2,000 `&&` end the whole process.
So this file reads characters only, needs no recursion, and refuses whatever the release profile
never uses. Two details keep the parser from seeing something else than we do: a carriage return
would end a comment for Cedar, and a backslash would move the end of a string, so both are refused.

Raises `Malformed("policy-refused")`; the detail starts with the name of the limit and the line.
"""

import re
from typing import Final

from wire.errors import Malformed, quoted

MAX_CHARACTERS: Final = 65_536
"""A statement's body carries at most 64 KiB; the largest real policy seen has 12 KiB."""

MAX_RULES: Final = 300
"""Ten times the largest real policy; keeps one decision under a millisecond."""

MAX_DEPTH: Final = 12
"""Open brackets at one place. The parser dies at about 700; nobody can read more than five."""

MAX_WORDS: Final = 400
"""Words and signs in one rule: enough for a list of 64 nations."""

MAX_OPERATORS: Final = 60
"""`&&`, `||`, `!`, `.`, `if` in one rule. The parser recurses on each."""

_WORD: Final = re.compile(
    r"""(?P<blank>[ \n]+ | //[^\n]*)
      | (?P<string>"[^"\\\n]*")
      | (?P<word>[A-Za-z_][A-Za-z0-9_]* | [0-9]+)
      | (?P<sign>&& | \|\| | :: | [=!<>]= | [<>(){}\[\];,.!@])""",
    re.VERBOSE,
)
_OPERATORS: Final = frozenset({"&&", "||", "!", ".", "if"})


def prescan(text: str) -> None:
    """Raise `Malformed` unless the text is short, flat and of known characters."""
    if len(text) > MAX_CHARACTERS:
        raise _refused("too-large", 1, f"more than {MAX_CHARACTERS} characters")
    _characters(text)
    depth = words = operators = rules = position = 0
    while position < len(text):
        match = _WORD.match(text, position)
        if match is None:
            raise _refused("symbol", _line(text, position), _unknown(text[position]))
        position = match.end()
        if match.lastgroup == "blank":
            continue
        word = match.group()
        words += 1
        operators += word in _OPERATORS
        depth += (word in ("(", "[", "{")) - (word in (")", "]", "}"))
        if depth > MAX_DEPTH:
            raise _refused("too-deep", _line(text, position), "brackets nested too deeply")
        if words > MAX_WORDS or operators > MAX_OPERATORS:
            raise _refused("too-long", _line(text, position), "one rule is too long, split it")
        if word == ";":
            rules, words, operators = rules + 1, 0, 0
    if rules > MAX_RULES:
        raise _refused("too-many-rules", 1, f"more than {MAX_RULES} rules")


def _characters(text: str) -> None:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.isascii():
            raise _refused("not-ascii", number, "only plain ASCII letters and signs are allowed")
        if not line.isprintable():
            raise _refused("control", number, "no tabs, carriage returns or control characters")


def _unknown(character: str) -> str:
    if character == '"':
        return "a string must end on its line and have no backslash"
    return f"{quoted(character)} has no meaning in the release profile"


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _refused(limit: str, line: int, why: str) -> Malformed:
    return Malformed("policy-refused", f"{limit} at line {line}: {why}")
