"""What was erased at the broker: the console says so, by whose order, and the proofs hold."""

import pytest

from clients.auditor import Auditor
from clients.console import api
from clients.console.desk import Desk, rechecked
from tests.clients.console.proving import proved
from tests.clients.evidence.little_history import LATER, desk, share
from tests.clients.evidence.test_erased import FLOOR, Mission
from tests.clients.evidence.test_erased import mission as mission
from tests.verifiers.verifying import needs_node

pytestmark = [pytest.mark.anyio, pytest.mark.slow, needs_node]


async def test_an_erased_entry_is_proven_and_leads_to_the_order(mission: Mission) -> None:
    with mission.served():
        (report,) = await share(mission.pilot, "KEN", "GBR")
        order = await mission.orders()
    mission.clock.forward(FLOOR + 1)
    with mission.served():
        late = desk(mission.pilot, "KEN")
        await late.pull()
    console = Desk(Auditor(late.identity), lambda: LATER)
    assert rechecked(console) == ""
    status = api.answer(console, "status", {})
    assert [each["order"] for each in status["erased_by"]] == [order]
    assert status["erased"] > 0
    with late.store() as store:
        (gone, *_) = store.rows("SELECT * FROM entry WHERE type = 'report.accepted'")
    told = api.answer(console, f"entry/{gone['idx']}", {})
    (verdict,) = proved([told])
    assert verdict["good"], verdict
    assert verdict["view"] is None
    assert report not in str(told)
    (by,) = told["shown"][0]["erased_by"]
    (verdict,) = proved([api.answer(console, f"entry/{by}", {})])
    assert verdict["good"]
    assert verdict["view"]["order"] == order
    marks = api.answer(console, "timeline", {})["marks"]
    assert ("retention.set", "KEN") in {(mark["what"], mark["nation"]) for mark in marks}
