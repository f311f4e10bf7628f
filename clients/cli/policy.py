"""`tearline policy lint|format|test|why`: a nation's rules, offline, before anybody signs them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from clients import policy_folder
from clients.cli import output
from clients.cli.common import split
from clients.cli.options import Json
from clients.cli.policy_options import Folder, Mission, Others, Registry
from clients.cli.refusal import REFUSED
from clients.files import meant
from policies import bundle, cases, explain, lint
from policies import form as forms
from policies.analyse.ground import allowed
from policies.analyse.mission import Mission as Analysed
from policies.analyse.sameness import same
from policies.decide import PolicyBook
from wire.errors import Malformed


def lint_(
    folder: Folder,
    others: Others = [],
    mission: Mission = "MINUSX",
    registry: Registry = None,
    json: Json = False,
) -> None:
    """Check every rule against the release profile; says what to write instead.

    Example: tearline policy lint policies/examples
    """
    bad = 0
    world = policy_folder.World.read(folder, mission, registry, split(others))
    for layer in world.layers:
        for finding in lint.lint(layer.text, layer.kind, layer.owner, world.vocabulary):
            bad += finding.severity == "error"
            where = f"{layer.owner}/{layer.kind}"  # a folder's name of three capitals, and ours
            if json:
                output.line(
                    {
                        "layer": where,
                        "rule": finding.where,
                        "finding": finding.rule,
                        "severity": finding.severity,
                        "message": finding.message,
                    }
                )
            else:
                colour = "red" if finding.severity == "error" else "yellow"
                text = f"{where} {output.clean_line(finding.where)} [{colour}]{finding.rule}[/]"
                output.say(f"{text}: {output.clean(finding.message)}")
    if bad and not json and (hint := world.hint()):
        output.say(hint)
    if not json and not bad:
        output.say(f"[green]{len(world.layers)} layers keep the release profile[/green]")
    if bad:
        raise typer.Exit(REFUSED)


def format_(folder: Folder) -> None:
    """Rewrite every .cedar file in Cedar's canonical layout.

    Example: tearline policy format my-policies
    """
    texts = {path: policy_folder.read(path) for path in policy_folder.cedar_files(folder)}
    neat = {path: lint.format(text) for path, text in texts.items()}  # all of them, or none
    for path, text in neat.items():
        if text != texts[path]:
            path.write_text(text, encoding="ascii")
            output.say(f"formatted {output.clean_line(str(path.relative_to(folder)))}")


def test(
    folder: Folder,
    case_files: Annotated[list[Path], typer.Option("--cases", help="Files of cases.")] = [],
    others: Others = [],
    mission: Mission = "MINUSX",
    registry: Registry = None,
    json: Json = False,
) -> None:
    """Run cases against the policies: outcome, rules and alarms must be as they say.

    What nations named with --with would take in is not known here: they take in everything.
    Example: tearline policy test policies/examples
    --cases policies/cases/KEN.json
    """
    known = split(others)
    book = policy_folder.World.read(folder, mission, registry, known).book(taking=known)
    files = case_files or sorted(folder.rglob("*.json"))
    passed = failed = 0
    for case in _cases(files):
        mismatches = cases.run(book, case)
        passed, failed = passed + (not mismatches), failed + bool(mismatches)
        for mismatch in mismatches:
            if not json:
                output.say(f"[red]failed[/red] {output.clean(str(mismatch))}")
        if json:
            output.line(
                {"case": case.name, "passed": not mismatches, "why": [str(m) for m in mismatches]}
            )
    if not passed + failed:
        raise Malformed("bad-input", "no cases found; name files with --cases")
    if not json:
        output.say(f"{passed} passed, {failed} failed")
    if failed:
        raise typer.Exit(REFUSED)


def why(
    folder: Folder,
    case_file: Annotated[Path, typer.Option("--case", help="A file of cases.")],
    viewer: Annotated[
        str, typer.Option("--viewer", help="A nation, or AUDITOR.")
    ] = explain.AUDITOR,
    others: Others = [],
    mission: Mission = "MINUSX",
    registry: Registry = None,
    json: Json = False,
) -> None:
    """Explain the decision of each case as one nation may see it.

    Example: tearline policy why policies/examples --case case.json --viewer KEN
    """
    known = split(others)
    world = policy_folder.World.read(folder, mission, registry, known)
    book: PolicyBook = world.book(taking=known)
    for case in _cases([case_file]):
        recipient, facts, circumstances = cases.request(case, world.vocabulary)
        decision = book.decide(recipient, facts, circumstances)
        told = explain.explain(book, decision, recipient, facts, circumstances, viewer)
        if json:
            output.line({"case": case.name, **told.model_dump(mode="json")})
        else:
            output.say(f"[bold]{output.clean(case.name)}[/bold]\n{output.clean(told.text)}")


def new(
    form: Annotated[Path, typer.Argument(help="A short form, as TOML; see policies/form.toml.")],
    folder: Annotated[Path, typer.Option("--out", help="Folder to write <NATION>/… into.")],
    mission: Mission = "MINUSX",
    registry: Registry = None,
    json: Json = False,
) -> None:
    """Write a first policy from a short form, and prove that the text says what the form says.

    Example: tearline policy new policies/form.toml --out my-policies
    """
    try:
        filled = forms.parse(form.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise Malformed("bad-input", f"{form.name} is not text") from error
    words = policy_folder.words(filled.nations, mission, registry)
    home = folder / filled.nation
    if home.exists():
        raise Malformed("bad-input", f"{home.name} is there already")
    meant = forms.meaning(filled, words)  # first: it refuses the names that nobody has
    release = forms.cedar(filled, words)
    book = PolicyBook.empty(words).with_layer("release", filled.nation, release)
    proven = same(
        Analysed.of(book),
        filled.nation,
        meant,
        allowed(book.layers["release", filled.nation].rules),
    )
    if not proven:
        raise Malformed("bad-input", "the text would not say what the form says")
    _, accept = bundle.starter(filled.nation, ())
    for kind, text in (("release", release), ("accept", accept)):
        (home / kind).mkdir(parents=True)
        (home / kind / "first.cedar").write_text(text, encoding="ascii")
    if json:
        output.line({"nation": filled.nation, "rules": len(filled.rule), "proven": proven})
    else:
        output.say(f"{len(filled.rule)} rules, proven to say what the form says")
        others = ",".join(code for code in filled.nations if code != filled.nation)
        output.say(
            f"next: tearline policy preview {output.clean_line(str(folder))} "
            f"--nation {filled.nation} --with {others}"
        )


def _cases(files: Iterable[Path]) -> Iterable[cases.Case]:
    for path in files:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise Malformed("bad-input", f"{path.name} cannot be read") from error
        with meant(path, 'a file of cases in JSON, {"cases": […]}'):
            found = cases.parse(data)
        yield from found
