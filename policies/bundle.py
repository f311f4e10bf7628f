"""From the text of files to the text of layers, and the policies that a new nation starts with.

Callers read the files; here are only texts. A nation's folder holds `release/*.cedar`,
`accept/*.cedar` and, signed by another authority, `guarantees/*.cedar`; the files of one layer are
joined in the order of their names. Library texts carry the places `{NATION}` and `{MISSION}`, which
`fill` replaces by checked codes and nothing else.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from policies import lint
from policies.decide import PolicyBook
from policies.schema import FLOOR_OWNER
from wire.errors import Malformed, quoted
from wire.vocabulary import Vocabulary

NATION_LAYERS: Final = ("release", "accept")
"""The layers, and the folders, that a nation owns."""

GUARANTEES: Final = "guarantees"
"""The folder of what is proved of the release layer; no layer itself."""

_FILE: Final = re.compile(r"(release|accept|guarantees)/[a-z0-9][a-z0-9_-]{0,63}\.cedar", re.ASCII)
_NATION: Final = re.compile(r"[A-Z]{3}", re.ASCII)
_WORD: Final = re.compile(r"[A-Z][A-Z0-9]*(?:[ _-][A-Z0-9]+)*", re.ASCII)
_PLACE: Final = re.compile(r"\{(NATION|MISSION)\}")


def assemble(texts: Mapping[str, str]) -> Mapping[str, str]:
    """The two layers of a nation from {path inside its folder: text}, and any guarantees.

    Raises `Malformed("policy-refused")` for a path that is no policy file: a misplaced file would
    otherwise silently not count.
    """
    parts: dict[str, list[str]] = {kind: [] for kind in (*NATION_LAYERS, GUARANTEES)}
    for path, text in sorted(texts.items()):
        match = _FILE.fullmatch(path)
        if match is None:
            raise Malformed(
                "policy-refused",
                f"{quoted(path)}: policy files are release/, accept/ or guarantees/NAME.cedar",
            )
        parts[match[1]].append(text if text.endswith("\n") else f"{text}\n")
    return {
        kind: "\n".join(found) for kind, found in parts.items() if found or kind in NATION_LAYERS
    }


def book(
    vocabulary: Vocabulary,
    floor: str,
    carry: str,
    nations: Mapping[str, Mapping[str, str]],
) -> PolicyBook:
    """The book of a mission: the floor, the mission's layer, and {nation: {layer: text}}.

    Raises `Malformed("policy-refused")` for the first text that cannot be a layer.
    """
    found = PolicyBook.empty(vocabulary)
    found = found.with_layer("handle", FLOOR_OWNER, floor)
    found = found.with_layer("carry", vocabulary.mission, carry)
    for nation, layers in nations.items():
        for kind, text in layers.items():
            found = found.with_layer(kind, nation, text)
    return found


def fill(template: str, *, nation: str = "", mission: str = "") -> str:
    """A library text with its places filled in.

    Raises `Malformed("bad-input")` for a code of the wrong form, or a place left empty.
    """
    codes = {"NATION": (nation, _NATION), "MISSION": (mission, _WORD)}

    def code(place: re.Match[str]) -> str:
        found, form = codes[place[1]]
        if not form.fullmatch(found):
            raise Malformed("bad-input", f"{place[1].lower()} {quoted(found)}")
        return found

    return _PLACE.sub(code, template)


def starter(nation: str, partners: Iterable[str], *, up_to: str = "SECRET") -> tuple[str, str]:
    """The release and the accept text that a new nation starts with.

    It releases to `partners` what a report's own lists name for them, up to the level `up_to`;
    what is SOURCE SENSITIVE goes through one of its officers. It accepts what is sent to it.
    Partners are named one by one, so a nation that joins later gains nothing by it.

    Raises `Malformed("bad-input")` for a code of the wrong form.
    """
    named = sorted({_checked(partner, _NATION) for partner in partners} - {nation})
    codes = {
        "nation": _checked(nation, _NATION),
        "partners": ", ".join(f'Nation::"{partner}"' for partner in named),
        "up_to": _checked(up_to, _WORD),
    }
    grant = _GRANT % codes if named else "// No partner is named yet: nothing is released.\n"
    return lint.format(grant + _OFFICER % codes), lint.format(_ACCEPT % codes)


def _checked(code: str, form: re.Pattern[str]) -> str:
    if not form.fullmatch(code):
        raise Malformed("bad-input", f"the code {quoted(code)}")
    return code


_GRANT: Final = """\
// What leaves: to the partners named here, what the report's own lists name for them.
@id("%(nation)s/partners")
@says("Partners of the mission receive what the report names them for, up to %(up_to)s.")
permit (principal, action == Action::"release", resource in UpTo::"%(up_to)s")
when { principal in [%(partners)s] }
when {
  resource.releasableTo.contains(principal.nation) || resource.displayTo.contains(principal.nation)
};

"""

_OFFICER: Final = """\
// What needs a person: one disclosure officer signs for each release.
@id("%(nation)s/source-sensitive")
@says("What could lead to a source goes through a disclosure officer.")
forbid (principal, action == Action::"release", resource in Caveat::"SOURCE SENSITIVE")
unless { context.approvals >= 1 };
"""

_ACCEPT: Final = """\
// What comes in: everything that others release to us.
@id("%(nation)s/own-members")
@says("Our own members receive what our partners release to us.")
permit (principal in Nation::"%(nation)s", action == Action::"accept", resource);
"""
