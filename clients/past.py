"""Labels of reports that were sent, read from saved `.tlr` files.

They are read for counting and nothing else: no signature is checked, and nothing is opened.
"""

from collections.abc import Iterator
from pathlib import Path

from policies.analyse.replay import Past
from policies.facts import ReportFacts
from wire import report as frames
from wire import strict_json
from wire.errors import Malformed
from wire.header import Header, PortionLabel
from wire.vocabulary import Vocabulary


def read(folder: Path, vocabulary: Vocabulary) -> Iterator[Past]:
    """Every portion of every report in a folder, but those that show a source.

    Whose sources are protected is replayed like an original one: no copy tells.
    Raises `Malformed` for a file that is none.
    """
    files = sorted(folder.glob("*.tlr"))
    if not files:
        raise Malformed("bad-input", f"no .tlr files in {folder.name}; see tearline fetch --save")
    for path in files:
        frame = frames.parse(path.read_bytes())
        header = strict_json.load(frame.header_bytes, Header)
        for portion in frame.portions:
            label = strict_json.load(portion.label_bytes, PortionLabel)
            if label.derived_from:  # whose information is inside, only the broker knows
                continue
            facts = ReportFacts.from_label(label, header.originator, vocabulary)
            yield Past(header.id, facts, header.created)
