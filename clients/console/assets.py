"""The files of the pages, read once: what is not in this table is not served, whatever it is
called.
"""

from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final, NamedTuple

MEDIA: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "mjs": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
}
PAGE: Final = "index.html"


class Asset(NamedTuple):
    """One file."""

    media: str
    body: bytes


def load() -> Mapping[str, Asset]:
    """Every file by its path below `static/`."""
    return dict(_below(files("clients.console").joinpath("static"), ""))


def _below(folder: Traversable, path: str) -> Iterator[tuple[str, Asset]]:
    for item in folder.iterdir():
        if item.is_dir():
            yield from _below(item, f"{path}{item.name}/")
        elif media := MEDIA.get(item.name.rpartition(".")[2]):
            yield f"{path}{item.name}", Asset(media, item.read_bytes())
