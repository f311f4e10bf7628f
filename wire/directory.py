"""Step 3, identify the signer: who is who, as the statements up to one journal position say.

A directory never changes; `wire.fold` gives the next one. The broker and every client hold the
same directory for the same position, so the broker cannot swap a key.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from wire.bodies import MissionCharter, MissionContinue
from wire.entries import MISSION
from wire.errors import Conflict, NotAllowed
from wire.members import EpochKey, Member, NationState
from wire.vocabulary import Vocabulary
from wire.witness_keys import Witnesses


@dataclass(frozen=True)
class Continued:
    """That the log goes on under another name: by which statement, from which entry on."""

    statement: str
    position: int
    body: MissionContinue


@dataclass(frozen=True)
class Directory:
    """Everything the mission's statements said up to `position`.

    `pinned_charter` is the identity of the one charter this directory will accept; `charter` has
    the name and keys of the log that is in force after what `continued` says.
    """

    mission: str
    pinned_charter: str
    position: int = -1
    charter: MissionCharter | None = None
    vocabulary: Vocabulary | None = None
    nations: Mapping[str, NationState] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    members: Mapping[str, Member] = field(default_factory=dict)
    chain: NationState = field(default_factory=lambda: NationState(MISSION))
    witnesses: Witnesses = field(default_factory=Witnesses)
    continued: tuple[Continued, ...] = ()

    @property
    def channels(self) -> tuple[str, ...]:
        """The journal's channels: the mission's own, then nations in order of admission."""
        return (MISSION, *self.order)

    @property
    def standing(self) -> tuple[str, ...]:
        """The nations that were not expelled, in order of admission."""
        return tuple(code for code in self.order if self.nations[code].expelled is None)

    @property
    def founded(self) -> MissionCharter:
        """The charter. Raises `Conflict` if the mission is not founded yet."""
        if self.charter is None:
            raise Conflict("statement-conflict", "the charter comes first")
        return self.charter

    @property
    def terms(self) -> Vocabulary:
        """The vocabulary in force. Raises `Conflict` if the mission has none yet."""
        if self.vocabulary is None:
            raise Conflict("statement-conflict", "the mission has no registry yet")
        return self.vocabulary

    def nation(self, code: str) -> NationState:
        """A nation of the mission. Raises `NotAllowed` if it is none, or was expelled."""
        if code not in self.order or self.nations[code].expelled is not None:
            raise NotAllowed("unknown-signer", "not a nation of this mission")
        return self.nations[code]

    def member(self, kid: str, position: int, time: int) -> Member:
        """The member with this key, if it stands at this position and time (seconds).

        Raises `NotAllowed` ("unknown-signer") for unknown, revoked, expired and expelled alike.
        """
        member = self.members.get(kid)
        if member is None or not member.valid_at(position, time):
            raise NotAllowed("unknown-signer")
        expelled = self.nations[member.nation].expelled
        if expelled is not None and position >= expelled:
            raise NotAllowed("unknown-signer")
        return member

    def signer(self, kid: str, originator: str, position: int, time: int) -> Member:
        """The member whose key signs for this originator. Raises `NotAllowed`."""
        member = self.member(kid, position, time)
        if member.nation != originator or not member.signs:
            raise NotAllowed("unknown-signer")
        return member

    def epoch_key(self, nation: str, level: int, now: int) -> EpochKey:
        """The nation's current key for reports of this level.

        Raises `Conflict` ("stale-epoch") if no epoch is open now or the nation is not accredited
        to the level: the answer to a frozen directory is not to seal.
        """
        epoch = self.nation(nation).epoch_at(now)
        if epoch is None or epoch.expires <= now:
            hours = 0 if epoch is None else (now - epoch.expires) // 3_600
            ended = "" if epoch is None else f": epoch {epoch.epoch} ended {hours} hours ago"
            raise Conflict("stale-epoch", f"{nation} has no key that is valid now{ended}")
        if not 0 <= level < len(epoch.keys):
            raise Conflict("stale-epoch", f"{nation} has no key for this level")
        return EpochKey(nation, level, epoch.epoch, epoch.kids[level], epoch.keys[level])

    # -- the next directory; used by `wire.fold` alone

    def with_nation(self, state: NationState) -> "Directory":
        """With this nation's state in place of its old one."""
        return replace(self, nations={**self.nations, state.code: state})

    def with_member(self, member: Member) -> "Directory":
        """With this member added, or in place of its older self."""
        return replace(self, members={**self.members, member.kid: member})

    def with_step(self, code: str, seq: int, identity: str, position: int) -> "Directory":
        """With one chain one statement further."""
        if code == MISSION:
            chain = replace(self.chain, seq=seq, prev=identity)
            return replace(self, chain=chain, position=position)
        state = replace(self.nations[code], seq=seq, prev=identity)
        return replace(self.with_nation(state), position=position)
