"""A case that waits for a disclosure officer, and the word that answers it."""

import hashlib
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from wire.bodies import RuleName
from wire.directory import Directory
from wire.errors import Conflict
from wire.model import Hex32B, NationCode, Seconds, Strict

Line = Annotated[str, StringConstraints(max_length=8_192)]


class RuleSays(Strict):
    """A rule that refers the case, and what its author says about it."""

    id: RuleName
    says: Line


class Referral(Strict):
    """One case, as the broker tells it: which layer asks, about what, and because of what.

    `accepted` in seconds. Of the `needed` officers `signed` have agreed; in a layer of the
    mission's it is nations that count. `text` is the SHA-256 of the layer's text.
    """

    layer: Literal["handle", "release", "carry", "accept"]
    owner: Annotated[str, StringConstraints(max_length=64)]
    report: Hex32B
    portion: Hex32B
    banner: Line
    originator: NationCode
    to: NationCode
    accepted: Seconds
    text: Hex32B
    rules: tuple[RuleSays, ...]
    needed: Annotated[int, Field(ge=1, le=64)]
    signed: Annotated[int, Field(ge=0, le=64)]

    @property
    def case(self) -> str:
        """A short name of its own, to be typed: 12 hex digits."""
        parts = (self.layer, self.report, self.portion, self.to)
        return hashlib.sha256("/".join(parts).encode()).hexdigest()[:12]

    def check_text(self, nation: str, directory: Directory) -> None:
        """Refuse a case under another text than this client has proven to be in force.

        Raises `Conflict` ("statement-conflict"): what is signed must be what the officer reads.
        """
        policy, charter = directory.nation(nation).policy, directory.founded
        lines = {"handle": charter.floor, "carry": charter.carry}
        if policy is not None:
            lines |= {"release": policy.release, "accept": policy.accept}
        text = "\n".join(lines.get(self.layer, ()))
        if hashlib.sha256(text.encode()).hexdigest() != self.text:
            raise Conflict("statement-conflict", "the case is under another text of the layer")

    def body(
        self,
        verdict: Literal["approve", "reject"],
        expires: int,
        *,
        reason: str,
        emergency: bool = False,
    ) -> dict[str, Any]:
        """What an officer signs: this case, these rules under this text, until `expires`."""
        return {
            "verdict": verdict,
            "layer": self.layer,
            "report": self.report,
            "portion": self.portion,
            "to": self.to,
            "text": self.text,
            "rules": sorted(rule.id for rule in self.rules),
            "emergency": emergency,
            "reason": reason,
            "expires": expires,
        }


class QueuePage(Strict):
    """What `GET /v1/referrals` answers."""

    referrals: tuple[Referral, ...]
    cursor: str
    more: bool
