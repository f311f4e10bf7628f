"""The client library: what partner systems, analysts, officers and auditors import."""

from clients.auditor import Auditor, Verdict
from clients.draft import AttachmentFile, Draft, Label, Portion
from clients.identity import Identity
from clients.officer import Officer
from clients.publisher import NotUploaded, Publisher, Receipt
from clients.subscriber import Received, Subscriber
from clients.sync import BlockingAuditor, BlockingOfficer, BlockingPublisher, BlockingSubscriber

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
