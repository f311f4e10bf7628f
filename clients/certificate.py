"""The recall certificate: who was sent a recalled report, and what became of it there.

It is computed from the originator's own history, walked and proven complete, and from the
statements that it names: the broker is asked for nothing that it could make up. Whoever was sent
any part of the report is a holder; a holder that has not answered is missing, and while one is
missing, or an entry that might name one cannot be read, the certificate is not complete.

A nation answers for its own readers (`recall.confirm`). What it says of itself nobody else can
check; the certificate says who said it, and where it stands in the journal.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from clients.follower import Filed
from clients.history import History
from wire.bodies import RecallConfirm, ReportRecall
from wire.errors import Malformed, NotAllowed

TELLING: Final = ("report.accepted", "release", "statement")
"""The types of entry that a certificate is made of."""


@dataclass(frozen=True)
class Answer:
    """A nation's word, signed by the member `kid`, at entry `index`."""

    outcome: str
    basis: str | None
    kid: str
    statement: str
    index: int


@dataclass(frozen=True)
class Holder:
    """A nation that was sent some of the report, under which entries; `answer` is its newest."""

    nation: str
    releases: tuple[int, ...] = ()
    portions: frozenset[int] = frozenset()
    uses: frozenset[str] = frozenset()
    answer: Answer | None = None


@dataclass(frozen=True)
class Derived:
    """A report that draws on the recalled one, and to whom it went, as far as we may know."""

    report: str
    originator: str
    to: frozenset[str]


@dataclass(frozen=True)
class Certificate:
    """What the originator knows of its recall in the tree of `size` entries.

    `unreadable` entries were erased and could name a further holder; `late` ones released the
    report after its recall, which no honest broker does.
    """

    report: str
    nation: str
    recall: str
    recalled: int
    reason: str
    size: int
    root: str
    holders: tuple[Holder, ...]
    derived: tuple[Derived, ...]
    unreadable: int
    late: tuple[int, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """The holders that have not answered."""
        return tuple(holder.nation for holder in self.holders if holder.answer is None)

    @property
    def complete(self) -> bool:
        """Whether every nation that was sent it has said what became of it."""
        return not (self.missing or self.unreadable)

    @property
    def destroyed(self) -> bool:
        """Whether, by their word, nobody has it any more."""
        answers = [holder.answer for holder in self.holders if holder.answer is not None]
        return self.complete and all(answer.outcome != "retained" for answer in answers)


def certify(history: History, report: str, said: Mapping[str, Filed]) -> Certificate:
    """The certificate of one report (identity) of the history's nation.

    `said` has at least the recalls and confirmations that the history names, by identity. Raises
    `NotAllowed` ("not-found") if the nation has not recalled it, `Malformed` ("broken-chain") if
    a statement was not shown or says something else.
    """
    recall = _recall(history, report, said)
    holders, late = _holders(history, report, recall.index)
    for index, filed in _named(history, report, "recall.confirm", said):
        body, nation = filed.statement.body(RecallConfirm), filed.statement.head.nation
        ours = (body.report, body.recall) == (report, recall.statement.identity)
        if not ours or nation not in holders:
            raise Malformed("broken-chain", f"entry {index} does not confirm this recall")
        (kid,) = filed.statement.signatures
        answer = Answer(body.outcome, body.basis, kid, filed.statement.identity, index)
        holders[nation] = replace(holders[nation], answer=answer)
    return Certificate(
        report=report,
        nation=history.nation,
        recall=recall.statement.identity,
        recalled=recall.index,
        reason=recall.statement.body(ReportRecall).reason,
        size=history.trust.size,
        root=history.trust.root.hex(),
        holders=tuple(holders[nation] for nation in sorted(holders)),
        derived=_derived(history, report),
        unreadable=history.erased(*TELLING),
        late=late,
    )


def _recall(history: History, report: str, said: Mapping[str, Filed]) -> Filed:
    """The first recall of the report by its own nation."""
    for _, filed in _named(history, report, "report.recall", said):
        if filed.statement.head.nation == history.nation:
            if filed.statement.body(ReportRecall).report != report:
                raise Malformed("broken-chain", "the recall is of another report")
            return filed
    raise NotAllowed("not-found", "your nation has not recalled such a report")


def _named(
    history: History, report: str, kind: str, said: Mapping[str, Filed]
) -> list[tuple[int, Filed]]:
    """The statements of one type about the report that the history names, where it names them."""
    found = []
    for entry, view in history.of("statement"):
        if (view.get("type"), view.get("report")) == (kind, report):
            filed = said.get(str(view.get("statement")))
            if filed is None or filed.index != entry.index or filed.statement.head.type != kind:
                raise Malformed("broken-chain", f"the statement of entry {entry.index} is missing")
            found.append((entry.index, filed))
    return found


def _holders(
    history: History, report: str, recalled: int
) -> tuple[dict[str, Holder], tuple[int, ...]]:
    """Every nation that the report was released to, and the releases that came too late."""
    holders, late = dict[str, Holder](), list[int]()
    for entry, view in history.of("release"):
        if view.get("report") == report:
            nation, portions = str(view.get("to")), view.get("portions")
            if not isinstance(portions, list):
                raise Malformed("broken-chain", f"entry {entry.index} does not say what it sent")
            before = holders.get(nation, Holder(nation))
            holders[nation] = replace(
                before,
                releases=(*before.releases, entry.index),
                portions=before.portions | frozenset(portions),
                uses=before.uses | {str(view.get("use"))},
            )
            if entry.index > recalled:
                late.append(entry.index)
    return holders, tuple(late)


def _derived(history: History, report: str) -> tuple[Derived, ...]:
    """What was made from it, in the order in which it first went to anybody."""
    found: dict[str, Derived] = {}
    for _, view in history.of("release"):
        sources = view.get("sources")
        if isinstance(sources, list) and report in sources:
            name, to = str(view.get("report")), frozenset({str(view.get("to"))})
            before = found.get(name, Derived(name, str(view.get("originator")), frozenset()))
            found[name] = replace(before, to=before.to | to)
    return tuple(found.values())
