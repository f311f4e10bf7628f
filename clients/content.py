"""What a portion says once opened: `application/vnd.tearline.content+json`.

People wrote it for people, so the body may have line breaks and tabs; otherwise it passes the same
strict gate as everything else. Other media types travel as they are.
"""

import unicodedata
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, StringConstraints

from wire import strict_json
from wire.errors import Malformed
from wire.model import Hex16B, Strict
from wire.report import ATTACHMENTS, PAYLOAD_MAX

MEDIA_TYPE: Final = "application/vnd.tearline.content+json"
CONTENT_MAX: Final = PAYLOAD_MAX // 2  # bytes of JSON: padded and sealed it still fits a portion
BODY_MAX: Final = 1_000_000  # characters: what is longer is a document, and travels attached

_MONTHS: Final = "JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC"
_DAY_TIME: Final = "(0[1-9]|[12][0-9]|3[01])([01][0-9]|2[0-3])[0-5][0-9]"


def _one_line(text: str) -> str:
    if "\n" in text or "\t" in text:
        raise ValueError("must be one line")
    return text


def _file_name(text: str) -> str:
    """A name that stays in the folder it is saved to, on any system."""
    if any(c in text for c in '/\\:*?"<>|') or text.strip(" .") != text or not text:
        raise ValueError("must be a plain file name")
    return _one_line(text)


Line = Annotated[str, AfterValidator(_one_line), StringConstraints(min_length=1, max_length=300)]
FileName = Annotated[str, AfterValidator(_file_name), StringConstraints(max_length=200)]
ReportType = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9 -]{1,31}\z")]
DateTimeGroup = Annotated[
    str, StringConstraints(pattern=rf"^{_DAY_TIME}[A-IK-Z]({_MONTHS})[0-9]{{2}}\z")
]
"""`091630ZJUL26`: day, time, zone (J, local, says nothing to others), month, year."""
MilitaryGrid = Annotated[
    str,
    StringConstraints(
        pattern=r"^((0?[1-9]|[1-5][0-9]|60)[C-HJ-NP-X]|[ABYZ])[A-HJ-NP-Z]{2}([0-9]{2}){0,5}\z"
    ),
]
"""`37NBA8912345678`: MGRS without spaces, 100 km to 1 m."""


class Content(Strict):
    """One portion's content. Source grades A to F and information grades 1 to 6 (Admiralty): F and
    6 say that it cannot be judged, not that it is worst. `confidence` is 0 to 100, as in STIX.
    """

    v: Literal[1] = 1
    title: Line
    body: Annotated[str, StringConstraints(max_length=BODY_MAX)]
    report_type: ReportType | None = None
    dtg: DateTimeGroup | None = None
    place: Line | None = None
    mgrs: MilitaryGrid | None = None
    source_grade: Literal["A", "B", "C", "D", "E", "F"] | None = None
    information_grade: Literal["1", "2", "3", "4", "5", "6"] | None = None
    confidence: Annotated[int, Field(ge=0, le=100)] | None = None
    attachments: Annotated[dict[Hex16B, FileName], Field(max_length=ATTACHMENTS)] = Field(
        default_factory=dict
    )
    """File names, by the id of the attachment."""


def encode(content: Content) -> bytes:
    """The JSON of a content. Raises `Malformed` ("bad-json", "too-large") as the gate does."""
    fields = content.model_dump(mode="json", exclude_none=True)
    return strict_json.dump(fields, limit=CONTENT_MAX, prose=True)


def decode(data: bytes) -> Content:
    """The content behind opened bytes. Raises `Malformed` ("bad-content")."""
    try:
        return strict_json.load(data, Content, limit=CONTENT_MAX, prose=True)
    except Malformed as error:
        raise Malformed("bad-content", error.detail) from error


def tidy(text: str) -> str:
    """A writer's own text in the one form the gate takes: NFC, and line feeds for line ends."""
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
