"""The refusal that may say more than its slug; light, for whoever shows refusals."""

from typing import TYPE_CHECKING

from wire.errors import NotAllowed

if TYPE_CHECKING:
    from clients.explained import Preview


class Withheld(NotAllowed):
    """A policy withholds it; `explanation` is what the broker may tell this nation."""

    def __init__(self, slug: str, detail: str, explanation: "Preview | None") -> None:
        super().__init__(slug, detail)
        self.explanation = explanation
