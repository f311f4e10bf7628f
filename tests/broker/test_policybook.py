"""The policies in force: what each nation signed, while it holds, under the words it knew."""

from collections.abc import Mapping
from typing import Any

import pytest

from broker.policybook import Policies
from broker.standing import Standing
from policies.decide import Outcome
from policies.facts import Circumstances, Recipient, ReportFacts
from tests import charter_words
from tests.coalition import Coalition
from wire.directory import Directory
from wire.errors import Malformed
from wire.statements import Statement
from wire.vocabulary import Vocabulary

EAST = """
@id("KEN/east")
@says("Only what lies in Eastern Africa.")
permit (principal, action == Action::"release", resource in Within::"014");
"""


NOWHERE = {"mission:sable": None, "mission:sable/east": None}


@pytest.fixture
def world() -> Coalition:
    return Coalition.of("KEN", "GBR", "FRA")


def standing(world: Coalition) -> Standing:
    """The standing that a broker comes to after the world's history."""
    found = Standing(Directory(world.mission, world.directory.pinned_charter))
    for filed in world.history:
        found = found.after(filed.statement, filed.position, filed.time)
    return found.settled(world.clock.now)


def vocabularies(world: Coalition) -> Mapping[str, Vocabulary]:
    return standing(world).vocabularies


def outcome(
    world: Coalition, policies: Policies, to: str = "GBR", *, region: str = "KE", **facts: object
) -> str:
    """What the policies say of a report of Kenya's."""
    fields: dict[str, object] = {
        "originator": "KEN",
        "level": 2,
        "regions": frozenset({region}),
        "threats": frozenset({"explosive"}),
        "release_to": frozenset({"KEN", "GBR", "FRA"}),
        "display_to": frozenset(),
        "caveats": frozenset(),
        "communities": frozenset(),
        "contributors": frozenset(),
        "derived": False,
        "exercise": False,
        "precedence": "ROUTINE",
        "originator_control": True,
    }
    report = ReportFacts(**{**fields, **facts})  # type: ignore[arg-type]
    reader = policies.reader(Recipient(to, "Gateway", 3, frozenset(), exercise=False))
    purpose = world.directory.terms.purposes[0]
    moment = Circumstances(now=world.clock.now, age=0, purpose=purpose, approvals={})
    return policies.decide(reader, report, moment).outcome.name


def in_force(world: Coalition) -> Policies:
    found = standing(world).policies
    assert found is not None
    return found


def republished(world: Coalition, **changes: Any) -> Statement:
    """The next registry: `parents` moves regions, and takes those away that lie nowhere."""
    registry = charter_words.registry(world.directory.terms.version + 1)
    for code, parent in changes.pop("parents", {}).items():
        if parent is None:
            del registry["regions"][code]
        else:
            registry["regions"][code]["parent"] = parent
    return world.together.says("registry.publish", {"registry": {**registry, **changes}})


# -- what counts


def test_every_layer_says_which_statement_put_it_in_force(world: Coalition) -> None:
    policies = in_force(world)
    nations = world.directory.nations
    assert policies.sources["handle", "COALITION"] == world.directory.pinned_charter
    assert policies.sources["carry", "MINUSX"] == world.directory.pinned_charter
    for kind in ("release", "accept"):
        assert policies.sources[kind, "KEN"] == nations["KEN"].policy_identity


@pytest.mark.slow
def test_a_nation_without_a_policy_neither_releases_nor_accepts() -> None:
    world = Coalition.of("KEN", "GBR", "FRA", people=False)
    assert outcome(world, in_force(world)) == "WITHHOLD"
    world["KEN"].adopts()
    assert outcome(world, in_force(world)) == "WITHHOLD", "nobody has to accept it"
    world["GBR"].adopts()
    assert outcome(world, in_force(world)) == "RELEASE"
    assert outcome(world, in_force(world), to="FRA") == "WITHHOLD"


def test_an_expired_policy_is_none_and_the_book_knows_until_when_it_holds(world: Coalition) -> None:
    kenya = world["KEN"]
    expires = world.clock.now + 60
    kenya.says("policy.publish", {**kenya.policy_body(), "expires": expires})
    policies = in_force(world)
    assert policies.until == expires
    assert outcome(world, policies) == "RELEASE"
    world.clock.forward(seconds=60)
    assert outcome(world, in_force(world)) == "WITHHOLD"
    assert outcome(world, in_force(world), to="KEN", originator="GBR") == "WITHHOLD"


def test_an_expelled_nation_has_no_say_any_more(world: Coalition) -> None:
    world.expels("GBR")
    assert outcome(world, in_force(world)) == "WITHHOLD"
    assert outcome(world, in_force(world), to="FRA") == "RELEASE"


def test_a_policy_that_could_not_be_in_force_is_refused(world: Coalition) -> None:
    kenya = world["KEN"]
    for body in (
        kenya.policy_body(release="permit (principal, action, resource);"),
        {**kenya.policy_body(), "registry": "00" * 32},
    ):
        statement = kenya.drafts("policy.publish", body)
        after = standing(world).after(statement, world.position, world.clock.now)
        with pytest.raises(Malformed, match="policy-refused"):
            after.check_adoptable("KEN")


# -- reference data that moves


@pytest.mark.slow
def test_reference_data_cannot_widen_a_policy_behind_its_owners_back(world: Coalition) -> None:
    """A country moved into the region that a policy names is not what its owner signed."""
    world["KEN"].adopts(release=EAST)
    assert outcome(world, in_force(world), region="KE") == "RELEASE"
    assert outcome(world, in_force(world), region="TD") == "WITHHOLD"
    republished(world, parents={"TD": "014"})
    assert outcome(world, in_force(world), region="TD") == "WITHHOLD"
    assert outcome(world, in_force(world), region="KE") == "RELEASE", "the same under both"
    assert outcome(world, in_force(world), originator="GBR", to="FRA", region="TD") == "RELEASE"
    world["KEN"].adopts(release=EAST)
    assert outcome(world, in_force(world), region="TD") == "RELEASE"


def test_reference_data_narrows_a_policy_at_once(world: Coalition) -> None:
    world["KEN"].adopts(release=EAST)
    republished(world, parents={"KE": "017"})
    assert outcome(world, in_force(world), region="KE") == "WITHHOLD"


@pytest.mark.slow
def test_a_wider_coalition_gains_nothing_until_the_owner_signs_again() -> None:
    world = Coalition.of("KEN", "GBR", "FRA")
    terms = world.directory.terms
    old = terms.digest
    grouped = """
@id("KEN/friends")
@says("Our friends.")
permit (principal in Coalition::"FRIENDS", action == Action::"release", resource);
"""
    republished(world, groups={"FRIENDS": ["GBR"]})
    world["KEN"].adopts(release=grouped)
    assert outcome(world, in_force(world)) == "RELEASE"
    assert outcome(world, in_force(world), to="FRA") == "WITHHOLD"
    republished(world, groups={"FRIENDS": ["FRA"]})
    # Under the pinned words FRA is no friend, under today's GBR is none: the lower of both.
    assert outcome(world, in_force(world), to="FRA") == "WITHHOLD"
    assert outcome(world, in_force(world)) == "WITHHOLD"
    world["KEN"].adopts(release=grouped)
    assert outcome(world, in_force(world), to="FRA") == "RELEASE"
    assert old in vocabularies(world)


@pytest.mark.slow
def test_a_text_that_names_a_word_that_is_gone_withholds_until_it_is_signed_again(
    world: Coalition,
) -> None:
    world["KEN"].adopts(release=EAST.replace("014", "mission:sable"))
    republished(world, parents=NOWHERE)
    assert ("release", "KEN") not in in_force(world).book.layers
    assert outcome(world, in_force(world)) == "WITHHOLD"
    assert outcome(world, in_force(world), originator="GBR", to="FRA") == "RELEASE"


def test_a_report_on_a_word_that_is_gone_is_withheld(world: Coalition) -> None:
    republished(world, parents=NOWHERE)
    assert outcome(world, in_force(world), region="mission:sable") == "WITHHOLD"


# -- cost


def test_what_did_not_change_keeps_what_it_remembers(world: Coalition) -> None:
    """A policy of one nation must not make every decision of all others cold."""
    before = standing(world)
    assert before.policies is not None
    outcome(world, before.policies)
    statement = world["FRA"].adopts(accept=_no("FRA"))
    filed = world.history[-1]
    after = before.after(statement, filed.position, filed.time).settled(world.clock.now)
    assert after.policies is not None
    kept, old = after.policies.book.layers, before.policies.book.layers
    assert kept["release", "KEN"] is old["release", "KEN"]
    assert kept["accept", "FRA"] is not old["accept", "FRA"]
    assert outcome(world, after.policies) == "RELEASE"
    assert outcome(world, after.policies, to="FRA") == "WITHHOLD"


def _no(nation: str) -> str:
    return (
        f'@id("{nation}/no")\n@says("No.")\n'
        f'forbid (principal in Nation::"{nation}", action == Action::"accept", resource);'
    )


def test_rulings_name_the_lowest_verdict_of_each_layer(world: Coalition) -> None:
    policies = in_force(world)
    reader = policies.reader(Recipient("GBR", "Gateway", 0, frozenset(), exercise=False))
    facts = ReportFacts(
        originator="KEN",
        level=2,
        regions=frozenset({"KE"}),
        threats=frozenset({"explosive"}),
        release_to=frozenset({"KEN", "GBR"}),
        display_to=frozenset(),
        caveats=frozenset(),
        communities=frozenset(),
        contributors=frozenset(),
        derived=False,
        exercise=False,
        precedence="ROUTINE",
        originator_control=True,
    )
    moment = Circumstances(
        now=world.clock.now, age=0, purpose=world.directory.terms.purposes[0], approvals={}
    )
    ruling = policies.decide(reader, facts, moment)
    assert ruling.outcome is Outcome.WITHHOLD
    assert {v.kind: v.outcome.name for v in ruling.verdicts}["handle"] == "WITHHOLD"
