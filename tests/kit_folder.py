"""The files of a broker, as `kit create` lays them out, for tests that start a real one."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.people import random_of


def write_broker(
    path: Path, genesis: Sequence[bytes], *, log_seed: bytes, settings: Mapping[str, object]
) -> Path:
    """Write `path`/broker: settings, secrets, and the statements an empty journal starts with."""
    folder = path / "broker"
    (folder / "genesis").mkdir(parents=True)
    for i, raw in enumerate(genesis):
        (folder / "genesis" / f"{i:03}.tlst").write_bytes(raw)
    fields = {"authorities": ["127.0.0.1:8440"], "port": 0, **settings}
    lines = [f"{name} = {json.dumps(value)}" for name, value in fields.items()]
    (folder / "broker.toml").write_text("\n".join(lines) + "\n")
    random = random_of("broker", str(settings["mission"]))
    secrets = {
        "log-key": log_seed.hex(),
        "journal-secret": random(32).hex(),
        "cursor-key": random(32).hex(),
        "metrics-token": random(16).hex(),
    }
    for name, text in secrets.items():
        (folder / name).write_text(text + "\n")
        (folder / name).chmod(0o600)
    return folder
