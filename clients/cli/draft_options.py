"""The options that describe a report, said once for `preview` and `publish`."""

import functools
import inspect
import tomllib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import ValidationError

from clients.cli.common import precedence_of, split
from clients.draft import AttachmentFile, Draft, Label, Portion
from wire.errors import Malformed
from wire.labels import Source

Many = list[str]
DisplayTo = Annotated[Many, typer.Option("--display-to", help="Nations that may look, not keep.")]
Obligation = Annotated[
    Many, typer.Option("--obligation", help="What a reader's client must keep: WATERMARK.")
]
Supersedes = Annotated[
    str | None, typer.Option("--supersedes", help="Your report that this one replaces.")
]
DerivedFrom = Annotated[
    Many,
    typer.Option(
        "--derived-from",
        help="A source, hidden from readers: REPORT:PORTION, as `fetch --json` names them.",
    ),
]
Cite = Annotated[
    Many, typer.Option("--cite", help="A source that every reader is shown: REPORT:PORTION.")
]
Consent = Annotated[
    Many,
    typer.Option("--consent", help="A source's originator's consent: the statement's identity."),
]
EXPIRES_HOURS_MAX: Final = 100 * 366 * 24  # a century: what is longer is a slip of the finger
ExpiresHours = Annotated[
    int | None,
    typer.Option(
        "--expires-hours", help="Serving stops after so long.", min=1, max=EXPIRES_HOURS_MAX
    ),
]


def describes(  # long: one line for each option
    title: Annotated[str, typer.Option("--title", help="One line.")],
    classification: Annotated[str, typer.Option("--classification", help="SECRET, RESTRICTED, …")],
    release_to: Annotated[
        Many, typer.Option("--release-to", help="Nations or coalitions: GBR,FRA. You are added.")
    ],
    region: Annotated[Many, typer.Option("--region", help="Place: KE, 014, mission:north.")],
    threat: Annotated[Many, typer.Option("--threat", help="Such as explosive.ied_emplaced.")],
    text: Annotated[str | None, typer.Option("--text", help="The text itself.")] = None,
    file: Annotated[Path | None, typer.Option("--file", help="A file with the text.")] = None,
    display_to: DisplayTo = [],
    caveat: Annotated[Many, typer.Option("--caveat", help="Such as SOURCE SENSITIVE.")] = [],
    community: Annotated[Many, typer.Option("--community", help="Readers must belong to it.")] = [],
    obligation: Obligation = [],
    precedence: Annotated[str, typer.Option("--precedence", help="FLASH to ROUTINE.")] = "ROUTINE",
    expires_hours: ExpiresHours = None,
    supersedes: Supersedes = None,
    attach: Annotated[list[Path], typer.Option("--attach", help="A file to send along.")] = [],
    portion: Annotated[
        list[Path], typer.Option("--portion", help="TOML: a further portion for other readers.")
    ] = [],
    derived_from: DerivedFrom = [],
    cite: Cite = [],
    consent: Consent = [],
) -> Draft:
    """The draft that the options describe. Raises `Malformed` ("bad-input")."""
    if (text is None) == (file is None):
        raise Malformed("bad-input", "give the text with --text or --file, one of them")
    body = _read(file) if file is not None else text or ""
    label = Label(
        classification=classification,
        release_to=split(release_to),
        regions=split(region),
        threats=split(threat),
        display_to=split(display_to),
        caveats=split(caveat),
        communities=split(community),
        obligations=split(obligation),
        precedence=precedence_of(precedence),
        expires=None if expires_hours is None else timedelta(hours=expires_hours),
        supersedes=supersedes,
        derived_from=[_source(word) for word in split(derived_from)],
        cites=[_source(word) for word in split(cite)],
        consents=split(consent),
    )
    return Draft(
        label=label,
        title=title,
        body=body,
        attachments=[AttachmentFile.of(path) for path in attach],
        portions=[_portion(path, label) for path in portion],
    )


def takes_draft(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose parameter `draft` is described by the options of `describes`.

    typer reads a command's signature, so the wrapper shows both signatures as one.
    """
    ours = inspect.signature(command).parameters
    described = inspect.signature(describes).parameters

    @functools.wraps(command)
    def wrapper(**given: Any) -> None:
        draft = describes(**{name: given.pop(name) for name in described})
        command(draft=draft, **given)

    shown = [p for name, p in ours.items() if name != "draft"] + list(described.values())
    keyword = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in shown]
    wrapper.__signature__ = inspect.Signature(keyword)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {p.name: p.annotation for p in keyword}
    return wrapper


LABEL_KEYS: Final = frozenset(
    {
        "caveats",
        "classification",
        "communities",
        "display_to",
        "obligations",
        "precedence",
        "regions",
        "release_to",
        "threats",
    }
)
LIST_KEYS: Final = LABEL_KEYS - {"classification", "precedence"} | {"attach"}
CONTENT_KEYS: Final = frozenset(
    {"dtg", "information_grade", "mgrs", "place", "source_grade", "title"}
)


def _portion(path: Path, first: Label) -> Portion:
    """A further portion from TOML: what it does not say of the label it shares with the first."""
    try:
        fields = tomllib.loads(_read(path))
    except tomllib.TOMLDecodeError as error:
        raise Malformed("bad-input", f"{path.name} is not TOML: {error}") from error
    _check_forms(path.name, fields)
    text = fields.pop("text", fields.pop("body", ""))
    attach = [AttachmentFile.of(path.parent / name) for name in fields.pop("attach", [])]
    if not {"classification", "release_to"} <= set(fields):
        raise Malformed("bad-input", f"{path.name}: a portion says classification and release_to")
    label = {k: v for k, v in fields.items() if k in LABEL_KEYS}
    if "precedence" in label:
        label["precedence"] = precedence_of(label["precedence"])
    content = {k: v for k, v in fields.items() if k in CONTENT_KEYS}
    shared = {
        "regions": first.regions,
        "threats": first.threats,
        "precedence": first.precedence,
        "expires": first.expires,
        "supersedes": first.supersedes,
        "derived_from": first.derived_from,
        "cites": first.cites,
        "consents": first.consents,
    }
    return Portion(label=Label(**{**shared, **label}), body=text, attachments=attach, **content)


def _check_forms(name: str, fields: dict[str, Any]) -> None:
    """Refuse unknown keys and values of a wrong kind, naming the key."""
    if unknown := set(fields) - LABEL_KEYS - CONTENT_KEYS - {"attach", "body", "text"}:
        raise Malformed("bad-input", f"{name}: unknown key {min(unknown)}")
    for key, value in fields.items():
        if key in LIST_KEYS:
            fits = isinstance(value, list) and all(isinstance(word, str) for word in value)
            kind = 'a list of words, such as ["GBR"]'
        else:
            fits, kind = isinstance(value, str), "text in quotes"
        if not fits:
            raise Malformed("bad-input", f"{name}: {key} is {kind}")


def _source(word: str) -> Source:
    report, _, portion = word.partition(":")
    try:
        return Source(report=report, portion=portion)
    except ValidationError as error:
        detail = "a source is REPORT:PORTION, 64 hex digits each"
        raise Malformed("bad-input", detail) from error


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        detail = f"{path.name} is not UTF-8 text; save it as that, or send it with --attach"
        raise Malformed("bad-input", detail) from error
    except OSError as error:
        raise Malformed("bad-input", f"no readable file {path.name}") from error
