"""One little history for all who ask it."""

from collections.abc import Iterator

import anyio
import pytest

from tests.clients.evidence.little_history import Told, lived, piloted


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    with piloted(tmp_path_factory.mktemp("lived")) as pilot:
        yield anyio.run(lived, pilot)
