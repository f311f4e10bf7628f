"""`tearline exercise run`: a written day of a mission, played and scored."""

import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from clients.cli import output
from clients.cli.common import run_async
from clients.cli.options import Json
from clients.cli.refusal import REFUSED
from clients.demo import stage
from clients.exercises import plan
from clients.exercises.page import page
from clients.exercises.plan import Exercise
from clients.exercises.run import SPEED, Run
from clients.exercises.score import Score, Told
from wire.errors import Malformed


def list_(json: Json = False) -> None:
    """The exercises that come with the program.

    Example: tearline exercise list
    """
    for name in plan.READY:
        found = plan.read(name)
        fields = {"name": name, "title": found.exercise.name, "injects": len(found.inject)}
        if json:
            output.line({**fields, "nations": list(found.exercise.nations)})
        else:
            output.say(f"[bold]{name}[/bold]  {found.exercise.name}, {len(found.inject)} injects")


def check(file: Annotated[str, typer.Argument(help="A .toml file.")], json: Json = False) -> None:
    """Read an exercise and say what is wrong with it, without playing it.

    Example: tearline exercise check harbour.toml
    """
    found = plan.read(file)
    title, count = found.exercise.name, len(found.inject)
    if json:
        output.line({"title": title, "injects": count, "nations": list(found.exercise.nations)})
    else:
        output.say(f"[green]can be played:[/green] {output.clean_line(title)}, {count} injects")


def run(
    file: Annotated[str, typer.Argument(help="A .toml file, or a name of `exercise list`.")],
    speed: Annotated[
        float, typer.Option("--speed", help="How much faster than the day it tells of.", min=1)
    ] = SPEED,
    keep: Annotated[Path | None, typer.Option("--keep", help="Keep the mission here.")] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write the result here too.")] = None,
    json: Json = False,
) -> None:
    """Play it with real clients against a broker of its own, and score what was shared.

    Times, over-sharing, under-sharing and recalls are measured; the exit code is 1 if anything went
    otherwise than the exercise expects. Its keys are made for this one run and verify nowhere else.
    Example: tearline exercise run ceasefire
    """
    exercise = plan.read(file)
    if keep is not None and keep.exists():
        raise Malformed("bad-input", f"{keep.name} exists already")
    if html is not None and (html.is_dir() or not html.parent.is_dir()):
        raise Malformed("bad-input", f"{html.name} cannot be written there; nothing was played")
    start, story = time.monotonic(), list[Told]()
    if not json:
        _open(exercise)
    with tempfile.TemporaryDirectory() as folder:
        made = stage.founded(keep or Path(folder, "mission"), exercise.plan)
        found = run_async(lambda: _play(exercise, made, speed, story, json=json))
    seconds = time.monotonic() - start
    if html is not None:
        html.write_text(page(exercise, story, found), encoding="utf-8")
    if json:
        output.line({**found.fields(), "seconds": round(seconds, 1)})
    else:
        _close(found, seconds)
    if not found.passed:
        raise typer.Exit(REFUSED)


async def _play(
    exercise: Exercise, made: stage.Stage, speed: float, story: list[Told], *, json: bool
) -> Score:
    def tell(told: Told) -> None:
        story.append(told)
        (_tell_json if json else _tell)(told)

    async with stage.broker(made):
        return await Run(exercise, made, speed=speed, tell=tell).run()


def _open(exercise: Exercise) -> None:
    setting = exercise.exercise
    output.say(f"[bold]EXERCISE {setting.mission}[/bold]: {output.clean_line(setting.name)}")
    if about := setting.about.strip():
        output.say(f"[dim]{output.clean_line(about)}[/dim]")
    output.say(f"[dim]{len(exercise.inject)} injects, {', '.join(setting.nations)}[/dim]\n")


def _tell(told: Told) -> None:
    colour = "green" if told.expected else "bold red"
    clock = f"{told.at // 60:02}:{told.at % 60:02}"
    note = "" if told.expected else "  this was not expected"
    output.say(f"{clock}  {told.nation}  {told.what}: [{colour}]{told.outcome}[/]{note}")


def _tell_json(told: Told) -> None:
    output.line(
        {
            "at": told.at,
            "nation": told.nation,
            "inject": told.what,
            "outcome": told.outcome,
            "expected": told.expected,
        }
    )


def _close(found: Score, seconds: float) -> None:
    output.say("")
    rows = [
        (nation, str(delay.count), f"{delay.median:.2f} s", f"{delay.longest:.2f} s")
        for nation, delay in sorted(found.delays.items())
    ]
    columns = ("nation", "reports read", "half within", "all within")
    output.table("Time from an inject to its readers", columns, rows)
    output.table(
        "Time until a recall held",
        ("report", "nations refused", "last after"),
        [(r.report, str(r.nations), _time(r.seconds)) for r in found.recalls],
    )
    for words, pairs in (
        ("over-sharing: read by who should not", found.over),
        ("under-sharing: not read by who should", found.under),
        ("not stopped: still given to who should be refused", found.unstopped),
    ):
        colour = "red" if pairs else "green"
        output.say(f"[{colour}]{len(pairs)}[/] {words}")
        for report, nation in pairs:
            output.say(f"    {output.clean_line(report)} by {nation}")
    for told in found.surprises:
        output.say(f"[red]not expected:[/red] {told.nation} {told.what}: {told.outcome}")
    verdict = "[green]as expected[/green]" if found.passed else "[bold red]not as expected[/]"
    output.say(f"{verdict}, in {seconds:.0f} s")


def _time(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.2f} s"
