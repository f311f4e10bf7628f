"""Whether two ways of saying a release layer say the same, for every request."""

from policies.analyse.ground import NOW
from policies.analyse.mission import Mission, asked_counts
from policies.analyse.space import Space
from policies.formula import Formula


def same(mission: Mission, owner: str, one: Formula, other: Formula) -> bool:
    """Whether two release layers of `owner` agree on every request, after any approvals."""
    formulas = (one, other)
    counts = asked_counts(formulas)
    for nation in mission.nations:
        if nation == owner:
            continue
        for count in counts:
            left, right = (mission.ground(formula, nation, count, NOW) for formula in formulas)
            space = Space(mission.atlases, nation, [left, right], owner=owner)
            if space.find(space.holds(left) != space.holds(right)) is not None:
                return False
    return True
