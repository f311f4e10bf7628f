"""`tearline policy new`: a first policy from a short form, proven."""

from pathlib import Path
from typing import Annotated

import typer

from clients import policy_folder
from clients.cli import output
from clients.cli.options import Json
from clients.cli.policy_options import Mission, Registry
from policies import bundle
from policies import form as forms
from policies.analyse.ground import allowed
from policies.analyse.mission import Mission as Analysed
from policies.analyse.sameness import same
from policies.decide import PolicyBook
from wire.errors import Malformed


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
