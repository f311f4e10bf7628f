"""`tearline nation retention`, and what the auditor's commands say of it a month later."""

import time
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from clients.identity import Identity
from tests.broker.server import serving
from tests.cli.terminal import here
from tests.clients.evidence.little_history import NATIONS, POLICIES, share
from tests.pilot import PASSPHRASE, Pilot
from wire import statements
from wire.bodies import MissionCharter

pytestmark = pytest.mark.slow

DAY = 86_400
AGO = 40 * DAY


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pilot]:
    """Founded forty days ago, when Kenya shared a report and ordered what is erased by now."""
    folder = tmp_path_factory.mktemp("retention")
    found = Pilot.laid_out(*NATIONS, folder=folder, policies=POLICIES, age=AGO)
    found.clock = lambda: time.time() - AGO + 60
    with serving(found.folder / "broker", found.clock) as server:
        found.port = server.port
        anyio.run(share, found, "KEN", "GBR")
        anyio.run(orders, found)
    found.clock = time.time
    with serving(found.folder / "broker") as server:
        found.port, found.server = server.port, server
        yield found


async def orders(pilot: Pilot) -> None:
    root = Identity.load(pilot.folder / "KEN/root", PASSPHRASE).root
    async with pilot.officer("KEN") as officer:
        await officer.retain(30, None, [root])


def test_an_order_is_shown_before_it_is_signed(pilot: Pilot) -> None:
    officer, root = pilot.device("GBR", "officer").folder, pilot.folder / "GBR/root"
    words = ("nation", "retention", "--as", officer)
    assert "nothing was ordered: everything is kept" in here(*words).done().out
    wanted = (*words, "--views", "30", "--payloads", "for-ever")
    seen = here(*wanted).done().out
    assert "views: 30 days; payloads: for ever" in seen
    assert "views of your channel, and the payloads of 0 reports" in seen
    assert "let your auditors pull before" in seen
    assert here(*words, "--json").done().row["orders"] == [], "a preview orders nothing"
    other = here(*wanted, "--root", pilot.folder / "FRA/root", "--yes")
    assert (other.code, "the root of FRA signs with" in other.err) == (1, True)
    preview, said = here(*wanted, "--root", root, "--json").done().rows
    assert preview["preview"]["views"] > 3
    assert said["type"] == "retention.set"
    (order,) = here(*words, "--json").done().row["orders"]
    assert (order["views"], order["payloads"], order["in_force"]) == (30, None, False)
    assert order["counts_from"] == order["time"] + 30 * DAY
    assert "30 days" in here(*words).done().out
    auditor = pilot.device("GBR", "auditor").folder
    here("audit", "pull", "--as", auditor).done()
    told = here("audit", "status", "--as", auditor).done().out
    assert "ordered     views 30 days, payloads for ever; counts from" in told


def test_what_is_erased_already_is_not_counted_again(pilot: Pilot) -> None:
    """Kenya's old views are gone; the report is there, though nobody can say which it is."""
    words = ("--views", "30", "--payloads", "1", "--json")
    folder = pilot.device("KEN", "officer").folder
    row = here("nation", "retention", "--as", folder, *words).done().row["preview"]
    assert (row["releases"], row["reports"]) == (0, 1)
    assert row["floor"] == 30


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--views", "30"), "say --payloads as well"),
        (("--views", "30", "--payloads", "a month"), "a number of days, or for-ever"),
        (("--views", "29", "--payloads", "for-ever"), "views are kept for 30 days at least"),
    ],
)
def test_what_cannot_be_ordered_is_refused_in_words(
    pilot: Pilot, words: tuple[str, ...], why: str
) -> None:
    """Expect refusal."""
    folder, root = pilot.device("FRA", "officer").folder, pilot.folder / "FRA/root"
    said = here("nation", "retention", "--as", folder, *words, "--root", root, "--yes")
    assert said.code == 1
    assert why in said.err
    assert said.out == ""


def test_the_auditor_is_told_what_was_erased_and_by_whose_order(
    pilot: Pilot, tmp_path: Path
) -> None:
    folder = pilot.device("KEN", "auditor").folder
    here("audit", "pull", "--as", folder).done()
    status = here("audit", "status", "--as", folder).done().out
    (row,) = here("audit", "ask", "erased", "--as", folder, "--json").done().rows
    assert row["missing"] > 5
    assert f"{row['missing']} from before" in status
    assert f"by order {row['order'][:16]} of KEN" in status
    fields = here("audit", "status", "--as", folder, "--json").done().row
    assert fields["good"]
    assert fields["ordered"] == []
    assert fields["erased_by"] == [
        {"order": row["order"], "before": row["before_time"] // 1000, "views": row["missing"]}
    ]
    assert "Nothing." in here("audit", "ask", "21", "--until", "2020-01-01", "--as", folder).out
    verified = here("audit", "verify", "--as", folder).done().out
    assert f"{row['missing']} views were erased" in verified
    gone = here("audit", "ask", "--type", "release", "--as", folder, "--json").done().rows[0]
    file = tmp_path / "gone.tlev"
    proven = here("audit", "prove", str(gone["index"]), "--as", folder, "--out", file).done().out
    assert "its proof holds" in proven
    assert f"entry {row['index']}, " in proven
    assert f"{row['order'][:16]} of KEN" in proven
    where = ("--disclosure", "GBR", "--out", tmp_path)
    account = here("audit", "report", *where, "--as", folder).done().out
    assert "releases that concern KEN were erased by order of its root" in account
    page = (tmp_path / "disclosures-KEN-GBR.html").read_text()
    assert "releases that concern KEN were erased by order of its root" in page
    pdf = tmp_path / "account.pdf"
    told = here("audit", "report", *where, "--pdf", pdf, "--as", folder, "--json").done().row
    assert told["erased"] == 1
    assert pdf.stat().st_size > 1_000
    again = here("audit", "verify", file, "--as", folder).done().out
    assert f"entry {row['index']}, " in again


@pytest.mark.parametrize(("said", "floor"), [((), 30), (("90",), 90), (("for-ever",), None)])
def test_a_kit_names_its_retention_floor(
    tmp_path: Path, said: tuple[str, ...], floor: int | None
) -> None:
    option = ("--retention-floor", *said) if said else ()
    here("kit", "create", tmp_path / "k", "--mission", "M", "--nations", "KEN", *option).done()
    first = sorted((tmp_path / "k/broker/genesis").iterdir())[1]
    charter = statements.parse(first.read_bytes()).body(MissionCharter)
    assert charter.retention_floor == floor
