"""The commands of `tearline`: where each is, and what it does, in a line of its own words.

A command's module is imported when the command is used, and no other's: who fetches reports has no
use for the code of an auditor. So its line stands here as well, for `tearline --help` to show, and
`tests/cli/test_commands.py` holds it against the command. Without a module it is a group of the
commands after it; without a line it goes without saying, and is not shown.
"""
# ruff: noqa: E501 - a table reads best as a table

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Final, TypeAlias

Table: TypeAlias = Mapping[str, tuple[str, str]]

RECALL: Final = """Take a report back: `tearline recall REPORT --as OFFICER --reason WHY`.

Example: tearline recall 3f…e1 --as kit/KEN/officer --reason "source at risk"
"""

ALWAYS: Final[Table] = {
    "preview": ("reports:preview", "Who would be able to read this, who not and why. Nothing is sent but the labels."),
    "publish": ("reports:publish", "Seal a report, post it, and print the receipt that the journal proves."),
    "fetch": ("reading:fetch", "Every matching report that you may have and have not been shown yet, FLASH first."),
    "watch": ("reading:watch", "Reports as they come; goes on where it stopped, whatever broke in between."),
    "open": ("opening:open_", "Open a sealed report from a file, without any network."),
    "lost": ("lost:lost", "Reports of this device that were accepted and then lost with the broker's disk."),
    "terms": ("terms:terms", "The mission's words: levels, nations, caveats, communities, places and threat types."),
    "audit": ("", "Verify and read your nation's history."),
    "audit pull": ("evidence:pull_evidence", "Fetch what is new, verify it, and keep it as your own evidence."),
    "audit status": ("evidence:status", "What your evidence says, on one screen: whole or not, how old, what was erased."),
    "audit lost": ("evidence:lost", "What concerned your nation, was acknowledged, and was lost with a disk."),
    "audit ask": ("asking:ask", "Ask your evidence one of the auditor's questions, or filter its entries."),
    "audit prove": ("asking:prove", "Write a small file that proves one entry, with the acceptance and the policies behind it."),
    "audit report": ("account:report", "Write an account of disclosures to one nation, and the evidence file that proves it."),
    "audit reconcile": ("asking:compare", "Compare your history with another nation's: each must have what the other has of both."),
    "audit export": ("asking:export_lines", "Write verified entries as lines for other systems, or all evidence as one file."),
    "audit push": ("push:push", "Pull, verify, and push what is new to a system of yours, signed."),
    "audit verify": ("audit:verify", "Walk your nation's whole chain: complete, unaltered, in the tree that everybody sees."),
    "backup": ("journal:backup", "Copy a broker's journal and attachments, while it serves, and verify the copy."),
    "restore": ("journal:restore", "Put a copy where a broker looks for its journal, and verify it there."),
    "journal": ("", "Check a broker's journal, or go on from a copy."),
    "journal fsck": ("journal:fsck", "Verify every entry of a stopped broker's journal; changes nothing."),
    "journal resume": ("journal:resume", "Go on from a restored copy whose anchor is lost; the journal then has an entry that says so."),
    "journal loss": ("journal:loss", "Write down what is left of a log, for the nations to sign that it goes on."),
    "journal continue": ("journal:go_on", "Go on from a restored copy under the name that more than half of the nations have signed."),
    "witness": ("", "Cosign the log, so that all see one history."),
    "witness init": ("witness:init", "Make a witness, and print the two keys by which a charter names it."),
    "witness renew": ("witness:renew", "Give a witness new keys, and print the two."),
    "witness trust": ("witness:trust", "Let a witness watch one more log; every key given for a log must sign."),
    "witness follow": ("witness:follow", "Check what the log wants cosigned, have it cosigned, and bring that back."),
    "witness compare": ("witness:compare", "Check that what witnesses cosigned last is of the history that you see."),
}  # fmt: skip

WITH_A_SERVER: Final[Table] = {
    "audit console": ("console:console", "Show your evidence in a browser: pictures, questions, and proofs that it verifies itself."),
    "witness serve": ("witness_serve:serve", "Answer add-checkpoint for the logs that the witness watches (C2SP tlog-witness)."),
}  # fmt: skip

WITH_POLICIES: Final[Table] = {
    "kit": ("", "All keys of a pilot or an exercise on one machine."),
    "kit create": ("kit:create", "Make a mission: every nation's keys, statements, policies, and the broker's folder."),
    "serve": ("serve:serve", "Run the broker; ready when GET /readyz answers 200. Ctrl-C drains the streams and stops."),
    "mission": ("", "Found a mission from many machines, by files."),
    "mission prepare": ("founding:prepare", "The operator's first step: make the broker's secrets, and print the log's public key."),
    "mission draft": ("founding:draft", "Draft the charter and sign it for your nation; the folder then goes to the others."),
    "mission sign": ("founding:sign", "Read what the charter says, and sign it for your nation."),
    "mission found": ("founding:found", "The operator's last step: lay what all have signed into the broker's folder."),
    "nation": ("", "A nation's roots and its way into a mission."),
    "nation join": ("founding:join", "Pin the mission whose charter all have signed: your devices are made like this folder."),
    "nation officers": ("founding:officers", "Vouch for your nation's first officers, by its root. Compare their names by voice first."),
    "nation expel": ("expel:nation_expel", "Expel a nation, signed by the roots of as many others as the charter asks for."),
    "nation sign": ("expel:nation_sign", "Add your root's signatures to an expulsion, or a log's continuation, that another drafted."),
    "nation publish": ("expel:nation_publish", "Post an expulsion that enough nations have signed, and print the leaver's ledger."),
    "nation continue": ("continuing:nation_continue", "Agree that the log goes on from an older copy, because there is no newer one."),
    "nation lost": ("continuing:nation_lost", "Write down the statements that this device knows and that are lost, to be said again."),
    "nation ledger": ("ledger:nation_ledger", "What a nation holds of yours, and the proof that it was sent nothing since it left."),
    "nation retention": ("retention:nation_retention", "How long the broker keeps your nation's views and payloads; with --root, order it anew."),
    "nation witness": ("witness_keys:nation_witness", "The keys of the mission's witnesses; with --root, replace those of your own."),
    "nation init": ("mission:nation_init", "Make a nation's root keys, on a machine that is kept offline, and its first statement."),
    "member": ("", "Devices and systems of your nation."),
    "member ledger": ("ledger:member_ledger", "What a member holds or may hold, and the proof that it was sent nothing since it left."),
    "member create": ("mission:member_create", "Make the keys of a new member on its own device, and the card an officer needs to add it."),
    "member add": ("mission:member_add", "Vouch for a new member, and grant it what it may read. Compare its name by voice first."),
    "member revoke": ("mission:member_revoke", "Revoke a member at once: its open streams end, and a new epoch opens without it."),
    "member list": ("mission:member_list", "Your nation's members, and other nations' members who sign."),
    "epoch": ("", "Your nation's encryption keys."),
    "epoch rotate": ("mission:epoch_rotate", "Open your nation's next epoch and grant it to every member that reads."),
    "recall": ("", RECALL),
    "recall take": ("recall:take", ""),
    "recall status": ("recall:status", "The recall certificate: who was sent the report, and what each says became of it."),
    "recall confirm": ("recall:confirm", "Answer for your nation what became of a report that another took back."),
    "policy": ("", "Write and check release policies."),
    "policy lint": ("policy:lint_", "Check every rule against the release profile; says what to write instead."),
    "policy format": ("policy:format_", "Rewrite every .cedar file in Cedar's canonical layout."),
    "policy test": ("policy:test", "Run cases against the policies: outcome, rules and alarms must be as they say."),
    "policy why": ("policy:why", "Explain the decision of each case as one nation may see it."),
    "policy new": ("policy_form:new", "Write a first policy from a short form, and prove that the text says what the form says."),
    "policy status": ("status:status", "Which policy of yours is in force, until when, and under which reference data."),
    "policy matrix": ("analysis:matrix", "Show the highest level that can go from each nation to each other one."),
    "policy preview": ("analysis:preview", "Show who would gain and who would lose what, and which guarantees would break."),
    "policy adopt": ("adopt:adopt", "Show what your nation's rules would change, sign them, and publish them."),
    "policy countersign": ("adopt:countersign", "Show what another officer signed, sign it too, and publish it."),
    "policy guarantee": ("adopt:guarantee", "Publish what your release rules must keep from now on, whoever writes them."),
    "officer": ("", "A disclosure officer's desk."),
    "officer denials": ("denials:denials", "Who was refused a report of yours, or by a rule of yours; and what your own people asked for in vain. From your nation's verified channel."),
    "officer queue": ("officer:queue", "What waits for your nation's officers: which report, to whom, and which rule asks."),
    "officer approve": ("officer:approve", "Sign that a case may go; it counts in your own nation's layer alone, until it ends."),
    "officer reject": ("officer:reject", "Say no to a case: it leaves the queue, and what was approved of it before is taken back."),
    "officer consent": ("officer:consent", "Release an own report to one more nation: its key is wrapped for it, the bytes stay."),
    "officer withdraw": ("officer:withdraw", "Take a consent back: it opens nothing any more, and nothing derived may lean on it."),
    "registry": ("", "Regions, threats, caveats and coalitions."),
    "registry show": ("registry:show", "The version in force; `--out` writes it as a file, to be changed and drafted anew."),
    "registry draft": ("registry:draft", "Propose the next version, signed by your root; other nations' roots sign it after you."),
    "registry sign": ("registry:sign", "Add your root's signatures to a proposal, once you have read what it changes."),
    "registry publish": ("registry:publish", "Post a proposal that enough nations have signed; it holds from its journal entry on."),
    "demo": ("demo:demo", "Five nations, a real broker, three systems that publish, and everything that can happen."),
    "exercise": ("", "Play a written exercise and score it."),
    "exercise list": ("exercise:list_", "The exercises that come with the program."),
    "exercise check": ("exercise:check", "Read an exercise and say what is wrong with it, without playing it."),
    "exercise run": ("exercise:run", "Play it with real clients against a broker of its own, and score what was shared."),
}  # fmt: skip

FULL: Final = all(find_spec(name) is not None for name in ("cedarpy", "z3"))
"""An analyst installs no policy engine; who writes policies or runs a mission has all of the
extra."""

COMMANDS: Final[Table] = {
    **ALWAYS,
    **(WITH_A_SERVER if find_spec("uvicorn") is not None else {}),
    **(WITH_POLICIES if FULL else {}),
}
"""Those for which this installation has what they need, in the order of the help."""
