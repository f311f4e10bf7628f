"""Print the reports that an analyst may have, from a plain synchronous script."""

import sys

from clients import BlockingSubscriber, Identity

with BlockingSubscriber(Identity.load(sys.argv[1])) as subscriber:
    for received in subscriber.fetch(regions={"014"}):
        print(received.banner)
        for portion in received.report.portions:
            print(f"  {portion.mark} {portion.title}: {portion.body}")
        print(f"  proven at entry {received.proof.index} of {received.proof.size}")
