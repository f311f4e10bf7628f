"""A folder of policy text as an officer keeps it, read for the offline commands.

FOLDER/<NATION>/release/*.cedar     what leaves
FOLDER/<NATION>/accept/*.cedar      what comes in
FOLDER/<NATION>/guarantees/*.cedar  optional: what must stay true of what leaves
FOLDER/floor.cedar, carry.cedar     optional: the coalition's floor and the mission's layer;
                                    the ready ones of the library otherwise
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clients import standard
from clients.files import meant
from clients.founding import library
from policies import bundle
from policies.decide import PolicyBook
from policies.schema import FLOOR_OWNER
from wire import strict_json
from wire.errors import Malformed
from wire.vocabulary import RegistryBody, Vocabulary, vocabulary

FILE_MAX: Final = 65_536  # bytes of one policy file: what the prescan would refuse anyway
_NATION: Final = re.compile(r'Nation::"([A-Z]{3})"', re.ASCII)
NO_DIGEST: Final = "0" * 64


@dataclass(frozen=True)
class LayerText:
    """The text of one layer and whose it is."""

    kind: str
    owner: str
    text: str


@dataclass(frozen=True)
class World:
    """Everything the offline commands need: words and layers."""

    vocabulary: Vocabulary
    layers: tuple[LayerText, ...]
    guarantees: Mapping[str, str]
    """By nation."""

    @classmethod
    def read(
        cls, folder: Path, mission: str, registry: Path | None, others: Iterable[str] = ()
    ) -> "World":
        """Read a policy folder. `others` are nations of the mission that have no folder in it.

        Raises `Malformed` for what is missing or misplaced.
        """
        nations = sorted(p.name for p in _folders(folder) if len(p.name) == 3 and p.name.isupper())
        if not nations and ((folder / "release").is_dir() or (folder / "accept").is_dir()):
            detail = f"{folder.name} is one nation's folder; name the folder that holds it"
            raise Malformed("bad-input", detail)
        if not nations:
            raise Malformed("bad-input", f"no folder of a nation, such as KEN, in {folder.name}")
        known = words(sorted({*nations, *others}), mission, registry)
        layers = [
            LayerText("handle", FLOOR_OWNER, _or_library(folder / "floor.cedar", mission)),
            LayerText("carry", mission, _or_library(folder / "carry.cedar", mission)),
        ]
        guarantees = {}
        for nation in nations:
            texts = nation_texts(folder / nation)
            layers += [LayerText(kind, nation, texts[kind]) for kind in bundle.NATION_LAYERS]
            guarantees[nation] = texts.get(bundle.GUARANTEES, "")
        return cls(known, tuple(layers), guarantees)

    def hint(self) -> str:
        """What to do about rules that name nations which are not here; nothing if none does."""
        named = {code for layer in self.layers for code in _NATION.findall(layer.text)}
        unknown = ",".join(sorted(named - set(self.vocabulary.nations)))
        return f"name nations that have no folder here: --with {unknown}" if unknown else ""

    def book(self, taking: Iterable[str] = ()) -> PolicyBook:
        """The layers as a book that decides. Raises `Malformed` ("policy-refused").

        `taking` are nations whose intake nobody here knows: without a folder of their own they are
        held to take in what is released to them, and they release nothing.
        """
        book = PolicyBook.empty(self.vocabulary)
        for layer in self.layers:
            try:
                book = book.with_layer(layer.kind, layer.owner, layer.text)
            except Malformed as error:
                said = filter(None, (error.detail, self.hint()))
                raise Malformed(error.slug, "; ".join(said)) from error
        for nation in sorted(set(taking) - self.guarantees.keys()):
            _, accept = bundle.starter(nation, ())
            book = book.with_layer("accept", nation, accept)
        return book


def words(nations: Iterable[str], mission: str, registry: Path | None) -> Vocabulary:
    """A mission's vocabulary: the standard levels, and a registry. Raises `Malformed`."""
    return vocabulary(mission, nations, standard.levels(), _registry(registry), NO_DIGEST)


def nation_texts(folder: Path) -> dict[str, str]:
    """The layers, and any guarantees, of one nation's folder.

    Raises `Malformed` for a misplaced file.
    """
    texts = {p.relative_to(folder).as_posix(): read(p) for p in cedar_files(folder)}
    return dict(bundle.assemble(texts))


def cedar_files(folder: Path) -> Iterable[Path]:
    """Every policy file below a folder, in order. Raises `Malformed` if there is none."""
    found = sorted(p for p in folder.rglob("*.cedar") if p.is_file())
    if not found:
        raise Malformed("bad-input", f"no .cedar files in {folder.name}")
    return found


def read(path: Path) -> str:
    """One policy file. Raises `Malformed` if it is not short ASCII text."""
    data = path.read_bytes()
    if len(data) > FILE_MAX:
        raise Malformed("too-large", f"{path.name} has more than {FILE_MAX} bytes")
    if not data.isascii():
        raise Malformed("policy-refused", f"{path.name} is not plain ASCII")
    return data.decode("ascii")


def _folders(folder: Path) -> Iterable[Path]:
    if not folder.is_dir():
        raise Malformed("bad-input", f"no folder {folder.name}")
    return (p for p in folder.iterdir() if p.is_dir())


def _or_library(path: Path, mission: str) -> str:
    if path.is_file():
        return read(path)
    ready = {"floor": "coalition-baseline", "carry": "mission-carry"}[path.stem]
    return library(ready, mission=mission)


def _registry(path: Path | None) -> RegistryBody:
    if path is None:
        return standard.registry()
    with meant(path, "a registry in JSON"):
        return strict_json.load(path.read_bytes(), RegistryBody)
