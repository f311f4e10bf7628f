"""The client library: what partner systems, analysts, officers and auditors import.

A name's module is imported when the name is first used: the command line has its place in this
package too, and most of its commands need little of it.
"""

from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from clients.auditor import Auditor, Verdict
    from clients.draft import AttachmentFile, Draft, Label, Portion
    from clients.identity import Identity
    from clients.officer import Officer
    from clients.publisher import NotUploaded, Publisher, Receipt
    from clients.subscriber import Received, Subscriber
    from clients.sync import (
        BlockingAuditor,
        BlockingOfficer,
        BlockingPublisher,
        BlockingSubscriber,
    )

__all__ = [
    "AttachmentFile",
    "Auditor",
    "BlockingAuditor",
    "BlockingOfficer",
    "BlockingPublisher",
    "BlockingSubscriber",
    "Draft",
    "Identity",
    "Label",
    "NotUploaded",
    "Officer",
    "Portion",
    "Publisher",
    "Receipt",
    "Received",
    "Subscriber",
    "Verdict",
]

_HOMES: Final = {
    **dict.fromkeys(("Auditor", "Verdict"), "auditor"),
    **dict.fromkeys(("AttachmentFile", "Draft", "Label", "Portion"), "draft"),
    "Identity": "identity",
    "Officer": "officer",
    **dict.fromkeys(("NotUploaded", "Publisher", "Receipt"), "publisher"),
    **dict.fromkeys(("Received", "Subscriber"), "subscriber"),
    **dict.fromkeys(
        ("BlockingAuditor", "BlockingOfficer", "BlockingPublisher", "BlockingSubscriber"), "sync"
    ),
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'clients' has no attribute '{name}'")
        return resolve_name(f"clients.{_HOMES[name]}:{name}")
