"""Verify the whole history of one nation and print who shared what with whom."""

import sys

from clients import BlockingAuditor, Identity

with BlockingAuditor(Identity.load(sys.argv[1])) as auditor:
    verdict = auditor.verify()

print(f"{verdict.nation}: {verdict.entries} entries, complete and unaltered")
for (originator, recipient), count in sorted(verdict.shared.items()):
    print(f"  {originator} -> {recipient}: {count}")
