"""Reference data changes by a file that goes from hand to hand, and holds once enough signed."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from clients import registry
from tests.cli.terminal import here
from tests.pilot import Pilot, open_policy

NATIONS = ("KEN", "GBR", "FRA")
POLICIES = {code: open_policy(code) for code in NATIONS}


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pilot]:
    folder = tmp_path_factory.mktemp("registry")
    with Pilot.of(*NATIONS, folder=folder, policies=POLICIES) as found:
        yield found


@pytest.mark.slow
def test_a_coalition_changes_once_a_quorum_of_roots_has_signed(
    pilot: Pilot, tmp_path: Path
) -> None:
    """Expect refusal of a proposal that one nation signed; and after the change, of nothing but a
    warning that one's own policy is pinned to the version before.
    """
    kenya, britain = (pilot.device(code, "officer").folder for code in ("KEN", "GBR"))
    file, proposal = tmp_path / "registry.json", tmp_path / "next.tlst"
    before = here("registry", "show", "--as", kenya, "--out", file, "--json").done().row
    body = json.loads(file.read_text())
    body |= {"version": body["version"] + 1, "groups": {"EAST": ["GBR", "KEN"]}}
    file.write_text(json.dumps(body))
    by, to = ("--root", pilot.folder / "KEN/root"), ("--out", proposal)
    told = here("registry", "draft", file, "--as", kenya, *by, *to, "--json").done().row
    assert told["changes"] == ["groups: EAST is new: GBR, KEN"]
    alone = here("registry", "publish", proposal, "--as", kenya)
    assert (alone.code, "1 of 2 nations signed" in alone.err) == (1, True)
    by = ("--root", pilot.folder / "GBR/root")
    other = here("registry", "sign", proposal, "--as", kenya, *by, "--yes")
    assert (other.code, "the root of GBR signs with" in other.err) == (1, True)
    said = here("registry", "sign", proposal, "--as", britain, *by, "--yes").done()
    assert "EAST" in said.out
    here("registry", "publish", proposal, "--as", britain, "--yes").done()
    after = here("registry", "show", "--as", kenya, "--json").done().row
    assert (after["version"], after["coalitions"]) == (
        before["version"] + 1,
        {"EAST": ["GBR", "KEN"]},
    )
    assert after["digest"] != before["digest"]
    assert here("policy", "status", "--as", kenya, "--json").done().row["current"] is False


def test_every_part_that_changes_is_told() -> None:
    old = registry.parse(json.dumps(WORDS).encode())
    new = registry.parse(
        json.dumps(
            {
                **WORDS,
                "caveats": {},
                "communities": {"C": "Cee"},
                "groups": {"G": ["FRA"]},
                "purposes": ["OTHER"],
            }
        ).encode()
    )
    assert list(registry.changes(old, old)) == []
    assert list(registry.changes(old, new)) == [
        "caveats: A is gone",
        "communities: C is new",
        "groups: G is another: FRA",
        "purposes: OTHER",
    ]


WORDS = {
    "version": 1,
    "caveats": {"A": "Ay"},
    "communities": {},
    "purposes": ["MISSION"],
    "regions": {},
    "threats": {},
    "groups": {"G": ["GBR"]},
}
