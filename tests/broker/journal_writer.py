"""A broker of its own process that appends until it is killed, and says what it acknowledged.

python -m tests.broker.journal_writer FOLDER SEED
"""

import asyncio
import os
import random
import sys
from pathlib import Path

from tests.broker.journal_world import World, records, root_of


async def main(folder: str, seed: str) -> None:
    chance = random.Random(seed)
    journal = await World(Path(folder)).open()
    os.write(1, b"open %d\n" % journal.size)
    while True:
        await journal.append(records(journal.size, chance.randint(1, 30)))
        os.write(1, b"%d %s\n" % (journal.size, root_of(journal.checkpoint).hex().encode()))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
