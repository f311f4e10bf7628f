"""Step 10, audit: who is told what about everything that happens here.

`CONCERNED` is a promise to the nations: whoever plays one of the roles named there finds the event
in his own channel of the journal, whatever the operator wishes. The builders below write for each
channel what it may read: no nation's rules stand in another nation's view, and nothing in a view
is content.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from broker.deciding import Visible, use_of
from broker.held import Held, HeldPortion, Origin
from broker.policybook import Ruling
from wire.entries import MISSION, Event
from wire.labels import DISPLAY
from wire.statements import Statement

Role = Literal["originator", "contributor", "recipient", "author", "party", "reader"]

CONCERNED: Final[Mapping[str, tuple[Role, ...]]] = {
    "report.accepted": ("originator",),
    "report.refused": ("originator",),
    "report.expired": ("originator",),
    "report.erased": ("originator",),
    "view.erased": ("author",),
    "release": ("originator", "recipient", "contributor"),
    "statement": ("author", "party"),
    "subscription.set": ("reader",),
    "subscription.deleted": ("reader",),
    "audit.read": ("reader",),
    "referral.read": ("reader",),
    "denial": ("originator", "contributor", "recipient"),
    "operator.start": (),
    "operator.stop": (),
    "operator.resume": (),
}
"""The roles that every kind of event concerns. Statements and the operator's acts concern the
mission's own channel as well; of a statement whose body all may see, that channel tells all. A
denial stands in the next `audit.read` of those it concerns. Of what is erased the mission's channel
has one entry a day and nation, whether anything was left to erase or not."""

RELEASE_PLACES: Final = 4
"""Places in the leaf of a release, at least: originator and recipient, and two that are decoys or
contributors. Only with more of these there are more, 8 or 16 and so on."""

OF_MISSION: Final = frozenset(
    {"statement", "view.erased", "operator.start", "operator.stop", "operator.resume"}
)

OPEN_LAYERS: Final = ("handle", "carry")
"""Layers whose text every member has: the charter's."""


def concerned(kind: str, roles: Mapping[Role, Iterable[str]]) -> tuple[str, ...]:
    """The channels that an event of this kind concerns, each once: who plays which role is given.

    Raises `KeyError` for a kind of event that there is not.
    """
    channels = [MISSION] if kind in OF_MISSION else []
    for role in CONCERNED[kind]:
        channels += sorted(roles.get(role, ()))
    return tuple(dict.fromkeys(channels))


# -- reports


def accepted(
    held: Held,
    signer: str,
    labels: Mapping[int, str],
    rulings: Mapping[int, Mapping[str, Ruling]],
    sources: Mapping[tuple[str, str], str],
) -> Event:
    """A report was accepted.

    `labels` are digests and `rulings` the answers for each nation, both by portion. What it was
    derived from, protected sources too, its own nation finds here; and that their originators'
    rules were asked. What stands behind a source may be protected, also from who draws on it.
    """
    (channel,) = concerned("report.accepted", {"originator": [held.originator]})
    asked = [ruling for nations in rulings.values() for ruling in nations.values()]
    named = frozenset[Origin]().union(*(portion.named for portion in held.portions))
    view = {
        "report": held.identity,
        "id": held.id,
        "signer": signer,
        "portions": [
            {
                "index": index,
                "label": labels[index],
                "nations": {nation: r.outcome.name for nation, r in sorted(nations.items())},
            }
            for index, nations in rulings.items()
        ],
        **_drawn({report for _, report in named}),
        "policies": _in_force(asked, sources, frozenset({channel, *(owner for owner, _ in named)})),
    }
    return Event("report.accepted", {channel: view})


def refused(
    report: str, report_id: str, originator: str, signer: str, slug: str, nations: Iterable[str]
) -> Event:
    """A report was refused, though its signer is known: because of these nations, if of any."""
    (channel,) = concerned("report.refused", {"originator": [originator]})
    view = {
        "report": report,
        "id": report_id,
        "signer": signer,
        "slug": slug,
        "nations": sorted(set(nations)),
    }
    return Event("report.refused", {channel: view})


def expired(held: Held, gone: Iterable[int]) -> Event:
    """The time of portions of a report is over: what could be read of them was deleted."""
    (channel,) = concerned("report.expired", {"originator": [held.originator]})
    view = {"report": held.identity, "portions": sorted(gone)}
    return Event("report.expired", {channel: view})


def aged(held: Held, gone: Iterable[int], order: str) -> Event:
    """Payloads of a report were deleted as its nation ordered (identity of the statement)."""
    (channel,) = concerned("report.erased", {"originator": [held.originator]})
    view = {
        "report": held.identity,
        "accepted": held.position,
        "accepted_time": held.accepted,
        "portions": sorted(gone),
        "order": order,
    }
    return Event("report.erased", {channel: view})


def swept(
    nation: str, order: str, before: int, first: int, until: int, *, opens_day: bool
) -> Event:
    """Views of a nation's channel were erased as it ordered: those numbered from `first` to
    `until` - 1, all older than `before` (seconds).

    How many, and so how much concerns a nation, is told to that nation alone; to all others that
    the order was carried out up to a midnight, once a day.
    """
    common = {"nation": nation, "order": order, "before": before}
    own = {**common, "first": first, "until": until}
    channels = concerned("view.erased", {"author": [nation]})
    views = {channel: own if channel == nation else common for channel in channels}
    return Event("view.erased", views if opens_day else {nation: own})


def released(
    visible: Visible,
    nation: str,
    reader: str,
    position: int,
    sources: Mapping[tuple[str, str], str],
) -> Event:
    """Portions of a report go to a nation; `reader` is who of it asked first.

    `position` is that of the report's acceptance. Only the recipient's own view names the reader,
    and none a nation that contributed, but each contributor's itself: a release may be shown to
    others, so what the originator knows of it stands in the acceptance alone. `display` lists the
    portions that may only be looked at; what was released to be kept are the others. How it is
    marked stands in the views of those who have the label; which of its own reports it draws on is
    told to each contributor. How many there are the leaf does not tell.
    """
    held = visible.held
    contributors = {n for p in visible.portions for n in p.facts.contributors}
    roles: dict[Role, Iterable[str]] = {
        "originator": [held.originator],
        "contributor": contributors,
        "recipient": [nation],
    }
    common: dict[str, Any] = {
        "report": held.identity,
        "accepted": position,
        "accepted_time": held.accepted,
        "originator": held.originator,
        "to": nation,
    }
    views = {}
    for channel in concerned("release", roles):
        shown = _shown(visible, nation, channel)
        portions, rulings = [p for p, _ in shown], [ruling for _, ruling in shown]
        ours = {report for p in portions for owner, report in p.sources if owner == channel}
        views[channel] = {
            **common,
            **({"reader": reader} if channel == nation else {}),
            "use": use_of(portions, nation),
            "portions": [portion.index for portion in portions],
            "display": [p.index for p in portions if DISPLAY in p.duties(nation)],
            **(_marked(portions) if channel in (held.originator, nation) else {}),
            **_drawn(ours),
            "rules": _rules(rulings, channel),
            "policies": _in_force(rulings, sources, frozenset({channel, held.originator})),
        }
    places = max(RELEASE_PLACES, 1 << (len(views) - 1).bit_length())
    return Event("release", views, places)


def _drawn(reports: Iterable[str]) -> dict[str, Any]:
    """Reports that it draws on, those that a channel may know of."""
    return {"sources": found} if (found := sorted(reports)) else {}


def _marked(portions: Iterable[HeldPortion]) -> dict[str, Any]:
    """How each portion is marked, in the order of `portions`."""
    return {
        "marked": [
            {
                "banner": portion.kind.banner,
                "precedence": portion.topic.precedence,
                "obligations": sorted(portion.obligations),
            }
            for portion in portions
        ]
    }


def _shown(visible: Visible, recipient: str, viewer: str) -> list[tuple[HeldPortion, Ruling]]:
    """The portions that a channel may know of: a contributor, of those that draw on its own."""
    pairs = zip(visible.portions, visible.rulings, strict=True)
    if viewer in (visible.held.originator, recipient):
        return list(pairs)
    return [pair for pair in pairs if viewer in pair[0].facts.contributors]


def _rules(rulings: Iterable[Ruling], viewer: str) -> dict[str, list[str]]:
    """The rules that determined, of the layers that the viewer may read."""
    found: dict[str, set[str]] = {}
    for ruling in rulings:
        for verdict in ruling.verdicts:
            if verdict.owner == viewer or verdict.kind in OPEN_LAYERS:
                found.setdefault(f"{verdict.kind}/{verdict.owner}", set()).update(verdict.rules)
    return {layer: sorted(rules) for layer, rules in sorted(found.items())}


def _in_force(
    rulings: Iterable[Ruling],
    sources: Mapping[tuple[str, str], str],
    told: frozenset[str],
) -> dict[str, str]:
    """The layers that were asked, each with the statement that put its text in force; of release
    layers those of the nations that the viewer is told of.

    A text's own digest would let others test guesses about it; a statement's body is salted.
    """
    names = {
        (v.kind, v.owner)
        for ruling in rulings
        for v in ruling.verdicts
        if v.kind != "release" or v.owner in told
    }
    return {f"{kind}/{owner}": sources.get((kind, owner), "") for kind, owner in sorted(names)}


# -- everything else


def stated(
    statement: Statement,
    parties: Iterable[str],
    report: str | None,
    everybody: Iterable[str] = (),
    *,
    emergency: bool = False,
) -> Event:
    """A statement was accepted. `parties` are those whom it is about, beside its author.

    `report` is the identity of the report that it is about, told to its parties alone, and so is
    that it was an emergency, which somebody has to review. How many
    channels an entry has, and the place of each, is to be seen in its leaf; where that would tell
    who is a party, `everybody` has a part in it that says no more than the mission's channel.
    """
    head = statement.head
    common = {
        "statement": statement.identity,
        "nation": head.nation,
        "seq": head.seq,
        "type": head.type,
    }
    about: dict[str, Any] = {} if report is None else {"report": report}
    if emergency:
        about["emergency"] = True
    authors = [head.nation] if head.scope != "mission" else []
    told = set(concerned("statement", {"author": authors, "party": parties})) - {MISSION}
    channels = dict.fromkeys((MISSION, *everybody, *authors, *sorted(told)))
    return Event("statement", {c: {**common, **about} if c in told else common for c in channels})


def subscription(
    kind: str, nation: str, reader: str, name: str, wanted: Mapping[str, Any]
) -> Event:
    """A member changed what it asks for: `subscription.set`, or `.deleted` with what it was."""
    (channel,) = concerned(kind, {"reader": [nation]})
    return Event(kind, {channel: {"reader": reader, "name": name, "filter": dict(wanted)}})


def read(
    nation: str,
    reader: str,
    after: int,
    limit: int,
    denials: Sequence[Mapping[str, Any]],
    left_out: int,
) -> Event:
    """A member is about to read its nation's channel from entry number `after` on.

    The entry brings what its nation is to be told of denials since the last one: they have no
    entries of their own, for those would show in the log (`broker.denials`).
    """
    (channel,) = concerned("audit.read", {"reader": [nation]})
    view = {"reader": reader, "after": after, "limit": limit}
    told = {"denials": list(denials), "left_out": left_out}
    return Event("audit.read", {channel: {**view, **told}})


def queue_read(nation: str, reader: str, limit: int) -> Event:
    """An officer is about to read what is referred to its nation."""
    (channel,) = concerned("referral.read", {"reader": [nation]})
    return Event("referral.read", {channel: {"reader": reader, "limit": limit}})


def operator(kind: str, version: str) -> Event:
    """The operator started or stopped the service: `operator.start`, `operator.stop`."""
    (channel,) = concerned(kind, {})
    return Event(kind, {channel: {"version": version}})


def resumed(version: str, size: int, heads: int) -> Event:
    """The operator goes on from a restored copy of `size` entries, after comparing it with so many
    checkpoints that nations had seen: `operator.resume`.
    """
    (channel,) = concerned("operator.resume", {})
    return Event("operator.resume", {channel: {"version": version, "size": size, "heads": heads}})
