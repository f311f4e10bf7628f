"""What a broker's refusal becomes on this side: the same slug, and who must act."""

from pydantic import BaseModel, ConfigDict

from clients.explained import EXPLANATION_MAX, Preview
from clients.withheld import Withheld
from wire import strict_json
from wire.errors import SLUGS, BrokerFault, Conflict, Malformed, NotAllowed, TearlineError


class Problem(BaseModel):
    """A problem document (RFC 9457); members we do not know are passed over."""

    model_config = ConfigDict(strict=True)

    type: str
    detail: str = ""
    explanation: Preview | None = None


def refusal(status: int, body: bytes) -> TearlineError:
    """The refusal that a problem document carries; a strange one means an unreachable broker."""
    try:
        problem = strict_json.load(body, Problem, limit=EXPLANATION_MAX, prose=True)
    except Malformed:
        problem = None
    if problem is None or problem.type not in SLUGS:
        return BrokerFault("unreachable", f"an answer that is not the broker's, status {status}")
    slug, words = problem.type, problem.detail
    if slug in {"withheld", "policy-expired"}:
        return Withheld(slug, words, problem.explanation)
    if status in {401, 403, 404}:
        return NotAllowed(slug, words)
    if status in {409, 429}:
        return Conflict(slug, words)
    return BrokerFault(slug, words) if status >= 500 else Malformed(slug, words)
