"""An exercise as it is written: who takes part, what happens when, and who should then read what.

    [exercise]                            [[inject]]
    name = "…"                            at = 5                      minutes from the start
    mission = "EXCALM"                    do = "report"               or another of `KINDS`
    nations = ["KEN", "GBR", "FRA"]       from = "KEN"
    clearances = { GBR = "SECRET" }       name = "checkpoint"         how later injects call it
                                          … the report's label and text …
    [policies.KEN]                        expect = ["GBR"]            who should read it, and nobody
    release = '''…'''                                                 else but its own nation

Everything is checked against the words of the mission before anything is started.
"""

import re
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field, StringConstraints

from clients import standard
from clients.draft import Draft, Label
from clients.founding import Plan, Policies, starter
from wire import strict_json
from wire.errors import Malformed, TearlineError, quoted
from wire.labels import Precedence
from wire.model import NationCode, Place, Strict, ThreatType, Token
from wire.vocabulary import RegistryBody, Title, Vocabulary, vocabulary

READY: Final = ("ceasefire", "piracy")
"""The exercises that come with the program."""
FILE_MAX: Final = 1 << 20  # bytes of one exercise: thousands of injects
KINDS: Final = frozenset({"report", "recall", "approve", "policy"})
"""What an inject can `do`."""
MINUTES_MAX: Final = 14 * 24 * 60  # two weeks of exercise time

_PLACE: Final = re.compile(r"`([a-z_.0-9]+)` (.*)", re.DOTALL)

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,40}\z")]
Nations: TypeAlias = tuple[NationCode, ...]
Audience: TypeAlias = dict[Name, Nations]
"""Nations by the report that they may read, or may read no more."""
Text = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]


class Inject(Strict):
    """What every inject has: when, in minutes from the start, and which nation acts."""

    at: Annotated[int, Field(ge=0, le=MINUTES_MAX)]
    nation: NationCode = Field(alias="from")


class ReportInject(Inject):
    """A nation's system reports something; with `amends`, in place of an earlier report."""

    do: Literal["report"]
    name: Name
    title: Title
    text: Text
    classification: Token
    release_to: Nations
    regions: tuple[Place, ...]
    threats: tuple[ThreatType, ...]
    display_to: Nations = ()
    caveats: tuple[Token, ...] = ()
    communities: tuple[Token, ...] = ()
    obligations: tuple[Token, ...] = ()
    precedence: Precedence = "ROUTINE"
    amends: Name | None = None
    expect: Nations = ()
    refused: bool = False
    """A policy should refuse it; then nobody reads it."""

    def draft(self, supersedes: str | None = None) -> Draft:
        """The report before it is sealed; `supersedes` is the identity of the one it replaces."""
        label = Label(
            classification=self.classification,
            release_to=self.release_to,
            regions=self.regions,
            threats=self.threats,
            display_to=self.display_to,
            caveats=self.caveats,
            communities=self.communities,
            obligations=self.obligations,
            precedence=self.precedence,
            supersedes=supersedes,
        )
        return Draft(label=label, title=self.title, body=self.text)


class RecallInject(Inject):
    """An officer takes a report back: from then on nobody should get it."""

    do: Literal["recall"]
    of: Name
    reason: Title


class ApproveInject(Inject):
    """An officer signs a referred report for one nation, which should then read it."""

    do: Literal["approve"]
    of: Name
    to: NationCode
    layer: Literal["release", "accept"] = "release"


class PolicyInject(Inject):
    """An officer adds rules to the nation's policy. `closes` says who should then be refused what
    they could have before, `opens` who should get more.
    """

    do: Literal["policy"]
    release: Text | None = None
    accept: Text | None = None
    opens: Audience = Field(default_factory=dict)
    closes: Audience = Field(default_factory=dict)


AnyInject: TypeAlias = Annotated[
    ReportInject | RecallInject | ApproveInject | PolicyInject, Field(discriminator="do")
]


class PolicyText(Strict):
    """A nation's policy; a layer that is not written is the starter's."""

    release: Text | None = None
    accept: Text | None = None


class Area(Strict):
    """A place that the mission draws itself, wholly inside another one."""

    name: Title
    inside: Place


class Setting(Strict):
    """Who takes part. A nation without a clearance is accredited to SECRET."""

    name: Title
    about: Title = " "
    mission: Token
    nations: Annotated[Nations, Field(min_length=2, max_length=16)]
    clearances: dict[NationCode, Token] = Field(default_factory=dict)
    communities: dict[NationCode, tuple[Token, ...]] = Field(default_factory=dict)
    areas: dict[Place, Area] = Field(default_factory=dict)
    """Mission areas, beside the places of the standard registry."""


class Exercise(Strict):
    """A whole exercise. Made by `read` and `parse`, which check it."""

    exercise: Setting
    policies: dict[NationCode, PolicyText] = Field(default_factory=dict)
    inject: Annotated[tuple[AnyInject, ...], Field(min_length=1, max_length=1_000)]

    @property
    def registry(self) -> RegistryBody:
        """The words of the mission."""
        areas = self.exercise.areas.items()
        return standard.registry(areas=[(code, area.name, area.inside) for code, area in areas])

    @property
    def plan(self) -> Plan:
        """What is founded for it: always an exercise, with keys that are made for this one run."""
        setting = self.exercise
        return Plan(
            mission=setting.mission,
            nations=setting.nations,
            name=setting.name,
            exercise=True,
            registry=self.registry,
            clearances=setting.clearances,
            communities=setting.communities,
            policies={nation: self.policy(nation) for nation in self.policies},
        )

    def policy(self, nation: str) -> Policies:
        """The texts that a nation begins with."""
        usual, own = starter(nation, self.exercise.nations), self.policies[nation]
        return Policies(own.release or usual.release, own.accept or usual.accept)

    @property
    def reports(self) -> dict[str, ReportInject]:
        """The reports by name."""
        return {i.name: i for i in self.inject if isinstance(i, ReportInject)}


def read(source: str) -> Exercise:
    """A ready exercise by its name, or one from a file. Raises `Malformed` ("bad-input")."""
    if source in READY:
        text = files("clients.exercises").joinpath(f"{source}.toml").read_text("utf-8")
        return parse(text, source)
    path = Path(source)
    try:
        if path.stat().st_size > FILE_MAX:
            raise Malformed("bad-input", f"{path.name} has more than {FILE_MAX} bytes")
        return parse(path.read_text("utf-8"), path.name)
    except (OSError, UnicodeDecodeError) as error:
        known = ", ".join(READY)
        detail = f"{quoted(path.name)} is no readable file and none of the ready ones: {known}"
        raise Malformed("bad-input", detail) from error


def parse(text: str, name: str) -> Exercise:
    """An exercise from TOML; `name` is for what is said about it. Raises `Malformed`."""
    try:
        table = tomllib.loads(text)
        fields = strict_json.dump(table, limit=FILE_MAX, prose=True)
        found = strict_json.load(fields, Exercise, limit=FILE_MAX, prose=True)
    except tomllib.TOMLDecodeError as error:
        raise Malformed("bad-input", f"{name} is not TOML: {error}") from error
    except TypeError as error:  # TOML has dates, JSON and we have not
        raise Malformed("bad-input", f"{name}: a date; times are minutes from the start") from error
    except Malformed as error:
        raise Malformed("bad-input", f"{name}, {_where(error.detail)}") from error
    for wrong in _wrong(found):
        raise Malformed("bad-input", f"{name}, {wrong}")
    return found


def _where(detail: str) -> str:
    """What the gate says, with the place counted as people count: `inject 3 title: …`."""
    found = _PLACE.fullmatch(detail)
    if found is None:
        return detail
    parts = [part for part in found[1].split(".") if part not in KINDS]
    return " ".join(str(int(p) + 1) if p.isdigit() else p for p in parts) + f": {found[2]}"


def _wrong(exercise: Exercise) -> Iterator[str]:
    """What the form alone does not show: names, order, words."""
    setting = exercise.exercise
    strange = {*exercise.policies, *setting.clearances, *setting.communities} - {*setting.nations}
    if strange:
        yield f"{min(strange)} takes no part in the exercise"
    words = vocabulary(
        setting.mission, setting.nations, standard.levels(), exercise.registry, "0" * 64
    )
    known: dict[str, ReportInject] = {}
    before = 0
    for number, inject in enumerate(exercise.inject, 1):
        for wrong in _wrong_inject(inject, known, words):
            yield f"inject {number}: {wrong}"
        if inject.at < before:
            yield f"inject {number}: it is earlier than the one before it"
        before = inject.at
        if isinstance(inject, ReportInject):
            known[inject.name] = inject


def _wrong_inject(
    inject: AnyInject, known: dict[str, ReportInject], words: Vocabulary
) -> Iterator[str]:
    for nation in sorted({inject.nation, *_named(inject)} - {*words.nations}):
        yield f"{nation} takes no part in the exercise"
    for name in sorted(_about(inject) - {*known}):
        yield f"there is no earlier report {quoted(name)}"
    match inject:
        case ReportInject():
            if inject.name in known:
                yield f"the name {quoted(inject.name)} is taken"
            if inject.refused and inject.expect:
                yield "what is refused is read by nobody"
            yield from _wrong_label(inject, words)
        case RecallInject() if inject.nation != known[inject.of].nation:
            yield "only the nation that made a report recalls it"
        case PolicyInject() if inject.release is inject.accept is None:
            yield "a change of policy says what is added to release or accept"


def _wrong_label(inject: ReportInject, words: Vocabulary) -> Iterator[str]:
    """As sealing it would find, so that nothing is found only in the middle of an exercise."""
    try:
        label = inject.draft().label.fixed(inject.nation, 1, words, exercise=True)
    except TearlineError as error:
        yield str(error.detail or error)
    else:
        if forbidden := {*inject.expect} - label.recipients:
            yield f"{min(forbidden)} is expected to read it and gets no key to it"


def _named(inject: AnyInject) -> set[str]:
    match inject:
        case ReportInject():
            return {*inject.expect}
        case ApproveInject():
            return {inject.to}
        case PolicyInject():
            return {n for part in (inject.opens, inject.closes) for ns in part.values() for n in ns}
        case _:
            return set()


def _about(inject: AnyInject) -> set[str]:
    match inject:
        case RecallInject() | ApproveInject():
            return {inject.of}
        case PolicyInject():
            return {*inject.opens, *inject.closes}
        case _:
            return {inject.amends} if inject.amends else set()
