"""Post one report with a second portion for fewer eyes, from an async program."""

import sys

import anyio

from clients import Draft, Identity, Label, Portion, Publisher


async def main(folder: str) -> None:
    label = Label(
        classification="CONFIDENTIAL",
        release_to={"GBR", "FRA"},
        regions={"KE"},
        threats={"explosive.ied_emplaced"},
        precedence="FLASH",
    )
    source = Label(
        classification="SECRET",
        release_to={"GBR"},
        regions={"KE"},
        threats={"explosive.ied_emplaced"},
        caveats={"SOURCE SENSITIVE"},
    )
    draft = Draft(
        label=label,
        title="Device found on the Mandera road",
        body="Eight kilometres east of Elwak. The road is closed.",
        portions=[
            Portion(label=source, title="Source", body="A driver who has been right before.")
        ],
    )
    async with Publisher(Identity.load(folder)) as publisher:
        print(await publisher.preview(draft))
        receipt = await publisher.publish(draft)
    print(f"accepted as {receipt.report}, proven at entry {receipt.index}")


anyio.run(main, sys.argv[1])
