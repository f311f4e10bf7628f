"""Denials as the journal proves them to the nation whose rules refused, or whose member asked."""

from typing import Annotated, Literal

from pydantic import Field

from wire import strict_json
from wire.errors import Malformed
from wire.model import Hex16B, Hex32B, NationCode, Seconds, Strict, Token
from wire.prove import VerifiedEntry

How = Literal["fetch", "attachment", "pull", "stream"]
Times = Annotated[int, Field(ge=1)]
Index = Annotated[int, Field(ge=0, lt=16)]


class Refused(Strict):
    """Somebody may not have a report of ours, or may not by a rule of ours.

    `rules` are those that refused, by layer, as far as we may know them: none means that nothing
    grants it. Times are Unix seconds.
    """

    report: Hex32B
    originator: NationCode
    portions: tuple[Index, ...]
    to: NationCode
    kind: Literal["system", "person"]
    how: How
    purpose: Token
    because: Literal["policy", "third-party", "not-listed", "recalled", "expired"]
    outcome: Literal["REFER", "WITHHOLD"]
    rules: dict[str, tuple[str, ...]]
    another_party: bool
    first: Seconds
    last: Seconds
    times: Times

    @property
    def who(self) -> str:
        """As much as a nation knows of another's reader."""
        return f"a {self.kind}"

    @property
    def where(self) -> str:
        """The portions."""
        return ",".join(map(str, self.portions))

    @property
    def why(self) -> str:
        """The reason in words."""
        if self.because != "policy":
            return self.because.replace("-", " ")
        named = [", ".join(rules) or f"no rule of {layer}" for layer, rules in self.rules.items()]
        others = ["another party"] if self.another_party else []
        return "; ".join((*named, *others))


class Unanswered(Strict):
    """A member of ours asked for a report that is not there for it, or not there at all."""

    report: Hex32B
    to: NationCode
    reader: Hex16B
    how: How
    purpose: Token
    first: Seconds
    last: Seconds
    times: Times

    @property
    def who(self) -> str:
        """The member, by the start of its key's name."""
        return f"our {self.reader[:8]}"

    @property
    def where(self) -> str:
        """Nothing, for a report that may not be there."""
        return ""

    @property
    def why(self) -> str:
        """All that the asking nation is told."""
        return "not found"


class LeftOut(Strict):
    """So many more kinds of denial came than there was room to keep."""

    left_out: Annotated[int, Field(ge=1)]


Denial = Refused | Unanswered | LeftOut


def told_in(entry: VerifiedEntry) -> list[Denial]:
    """The denials that an entry of the nation's channel tells; only reads of it tell any.

    Raises `Malformed` ("broken-chain") for anything else in their place.
    """
    if entry.type != "audit.read" or entry.view is None:
        return []
    told, left_out = entry.view.get("denials"), entry.view.get("left_out")
    if not isinstance(told, list) or not isinstance(left_out, int):
        raise Malformed("broken-chain", f"entry {entry.index} does not tell its denials")
    found: list[Denial] = [_denial(one) for one in told]
    return found + ([LeftOut(left_out=left_out)] if left_out else [])


def _denial(told: strict_json.Json) -> Denial:
    text = strict_json.dump(told)
    if isinstance(told, dict) and "reader" in told:
        return strict_json.load(text, Unanswered)
    return strict_json.load(text, Refused)
