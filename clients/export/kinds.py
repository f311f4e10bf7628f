"""What each type of entry is in the words of others: a class and an activity of OCSF, a category
and a type of ECS. Every type of the protocol stands here on purpose; what a newer broker may write
beside is an event of the log, and Other.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

API, ENTITY, LOGGING = 6003, 3004, 1008
"""OCSF's classes API Activity, Entity Management and Event Log Activity."""
CREATE, READ, UPDATE, DELETE, OTHER = 1, 2, 3, 4, 99
CLEAR, EXPORT, START, STOP, RESTART = 1, 3, 6, 7, 8
"""Activities: the first five of API Activity and Entity Management, these of the event log."""


class Kind(NamedTuple):
    """OCSF class and activity, and the one category and type of ECS."""

    ocsf: int
    activity: int
    category: str
    type: str


KINDS: Final[Mapping[str, Kind]] = {
    "report.accepted": Kind(API, CREATE, "api", "creation"),
    "report.refused": Kind(API, CREATE, "api", "creation"),
    "report.expired": Kind(API, DELETE, "api", "deletion"),
    "report.erased": Kind(API, DELETE, "api", "deletion"),
    "release": Kind(API, READ, "api", "access"),
    "subscription.set": Kind(API, UPDATE, "api", "change"),
    "subscription.deleted": Kind(API, DELETE, "api", "deletion"),
    "referral.read": Kind(API, READ, "api", "access"),
    "audit.read": Kind(LOGGING, EXPORT, "api", "access"),
    "view.erased": Kind(LOGGING, CLEAR, "api", "deletion"),
    "operator.start": Kind(LOGGING, START, "process", "start"),
    "operator.stop": Kind(LOGGING, STOP, "process", "end"),
    "operator.resume": Kind(LOGGING, RESTART, "process", "start"),
}
"""Every type of entry but `statement`."""

ADDS: Final = Kind(ENTITY, CREATE, "configuration", "creation")
CHANGES: Final = Kind(ENTITY, UPDATE, "configuration", "change")
ENDS: Final = Kind(ENTITY, DELETE, "configuration", "deletion")

STATEMENTS: Final[Mapping[str, Kind]] = {
    "mission.charter": ADDS,
    "registry.publish": CHANGES,
    "nation.admit": Kind(ENTITY, CREATE, "iam", "creation"),
    "mission.continue": CHANGES,
    "nation.expel": Kind(ENTITY, DELETE, "iam", "deletion"),
    "root.publish": Kind(ENTITY, UPDATE, "iam", "change"),
    "role.set": Kind(ENTITY, UPDATE, "iam", "change"),
    "member.add": Kind(ENTITY, CREATE, "iam", "creation"),
    "member.revoke": Kind(ENTITY, DELETE, "iam", "deletion"),
    "epoch.open": Kind(ENTITY, CREATE, "iam", "creation"),
    "epoch.grant": Kind(ENTITY, CREATE, "iam", "creation"),
    "policy.publish": CHANGES,
    "guarantee.publish": CHANGES,
    "retention.set": CHANGES,
    "witness.set": CHANGES,
    "report.release": ADDS,
    "report.withdraw": ENDS,
    "report.recall": ENDS,
    "recall.confirm": ADDS,
    "report.complaint": ADDS,
    "approval": ADDS,
    "head.seen": ADDS,
}
"""A statement by its own type: it was made, and what it is about was added, changed or ended."""

UNKNOWN: Final = Kind(LOGGING, OTHER, "api", "info")
UNTOLD: Final = Kind(ENTITY, OTHER, "configuration", "info")
"""A statement of which nothing is known any more, or of a type that is new."""


def kind_of(entry_type: str, spoke: str | None) -> Kind:
    """The kind of an entry; `spoke` is the type of the statement that it tells of."""
    if entry_type == "statement":
        return STATEMENTS.get(spoke or "", UNTOLD)
    return KINDS.get(entry_type, UNKNOWN)
