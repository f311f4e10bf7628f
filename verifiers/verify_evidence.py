#!/usr/bin/env python3
"""Verify a Tearline evidence file (.tlev) without Tearline:  verify_evidence.py FILE CHARTER

CHARTER is the identity of the mission's charter, or of what continued its log, 64 hex digits, from
another source than the file. Prints one JSON object and exits with 0 if all holds, else names the
first thing wrong and exits with 1. Written from docs/protocol.md, whose sections the comments name.
"""

import base64
import hashlib
import hmac
import json
import re
import sys
import time
import unicodedata
from collections import deque

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

LINE_MAX, DAY, HEX, FIRST = 524_352, 86_400, "[0-9a-f]{64}", (0, -1, -1, "0" * 64)
MISSION, SWEEP = "MISSION", "view.erased"
NEEDED = re.compile(r"(nation|policy|report|recall|retention)\..*|mission\.continue|approval")


class RefusedError(Exception): ...


def need(holds, why):
    if not holds:
        raise RefusedError(why)


# 1: the gate for JSON
UNSEEN = """0000-0008 000B-000C 000E-001F 007F-009F 00AD 034F 0600-0605 061C 06DD 070F 0890-0891
08E2 115F-1160 17B4-17B5 180B-180F 200B-200F 2028-202E 2060-206F 3164 D800-F8FF FDD0-FDEF FE00-FE0F
FEFF FFA0 FFF0-FFFB FFFE-FFFF 110BD 110CD 13430-1343F 1BCA0-1BCA3 1D173-1D17A 1FFFE-1FFFF
2FFFE-2FFFF 3FFFE-3FFFF 4FFFE-4FFFF 5FFFE-5FFFF 6FFFE-6FFFF 7FFFE-7FFFF 8FFFE-8FFFF 9FFFE-9FFFF
AFFFE-AFFFF BFFFE-BFFFF CFFFE-CFFFF DFFFE-E0FFF EFFFE-10FFFF"""
PROSE = dict.fromkeys((0x200C, 0x200D, 0xFE0E, 0xFE0F))  # what prose may hold is left out first
RANGES = ("-".join(chr(int(x, 16)) for x in word.split("-")) for word in UNSEEN.split())
HIDDEN = re.compile(f"[{''.join(RANGES)}]")


def seen(value, prose, breaks=""):
    for part in value if isinstance(value, list | dict) else ():
        seen(part, prose, breaks)
        seen(value[part] if isinstance(value, dict) else "", prose, breaks)
    if isinstance(value, str):
        hidden = HIDDEN.search(value.translate(PROSE) if prose else value)
        need(not hidden and not set(breaks) & set(value), "a character that nobody can see")
        need(unicodedata.is_normalized("NFC", value), "text that is not NFC")


def pairs(found):
    need(len(dict(found)) == len(found), "a key that stands twice")
    return dict(found)


def gate(data, limit=65_536, *, prose=False):
    need(len(data) <= limit, "a JSON text that is too long")
    try:  # int() takes no 1.5, and no NaN
        depth, text = 0, data.decode("utf-8")
        bare = re.sub(r'"[^"\\]*(?:\\.[^"\\]*)*"', "", text)
        need(not re.search(r"[0-9]{17}|-0(?![0-9])", bare), "an integer too long, or minus zero")
        for mark in re.findall(r"[\[\]{}]", bare):
            depth += (mark in "[{") - (mark in "]}")
            need(depth <= 8, "JSON that nests too deep")
        value = json.loads(text, object_pairs_hook=pairs, parse_float=int, parse_constant=int)
    except ValueError:
        raise RefusedError("not JSON in UTF-8") from None
    seen(text, prose)
    seen(value, prose, "\r" if prose else "\t\n\r")
    return value


def form(value, *names):
    need(isinstance(value, dict) and set(value) == set(names), f"not an object of {names}")
    return [value[name] for name in names]


def number(value, low=0, high=(1 << 53) - 1):
    need(type(value) is int and low <= value <= high, "not a number of the right size")
    return value


def word(value, pattern):
    need(isinstance(value, str) and re.fullmatch(pattern, value), "a text of the wrong form")
    return value


def raw(value, length=None):
    data = base64.b64decode(word(value, "([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2,3}={1,2})?") + "==")
    need(base64.b64encode(data).decode() == value, "base64 in another spelling")
    need(len(value) <= 90_000 and length in (None, len(data)), "bytes of the wrong length")
    return data


def hashes(value):
    need(isinstance(value, list) and len(value) <= 64, "not a proof")
    return [raw(one, 32) for one in value]


# 15: the tree (RFC 9162 sections 2.1.3.2 and 2.1.4.2) and its checkpoints
def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def climb(start, proof, index, inner):
    for step, node in enumerate(proof):
        is_left = step >= inner or index >> step & 1
        start = sha(b"\1", node, start) if is_left else sha(b"\1", start, node)
    return start


def included(index, size, leaf, proof, root):
    need(0 <= index < size, "the index is not in the tree")
    inner = (index ^ (size - 1)).bit_length()
    need(len(proof) == inner + (index >> inner).bit_count(), "a proof of the wrong length")
    need(climb(sha(b"\0", leaf), proof, index, inner) == root, "not in the tree with this root")


def extends(old, old_root, new, new_root, proof):
    need(0 < old < new, f"a tree of {new} after one of {old}: rolled back, or told twice")
    shift = (old & -old).bit_length() - 1
    path = list(proof) if old != 1 << shift else [old_root, *proof]
    last, inner = (old - 1) >> shift, ((old - 1) ^ (new - 1)).bit_length() - shift
    need(len(path) == 1 + inner + (last >> inner).bit_count(), "a proof of the wrong length")
    old_top = path[0]
    for step, node in enumerate(path[1:]):
        old_top = sha(b"\1", node, old_top) if step >= inner or last >> step & 1 else old_top
    tops = (old_top, climb(path[0], path[1:], last, inner))
    need(tops == (old_root, new_root), "the tree does not start with the older one: a fork")


def checkpoint(note, log_keys):
    need(isinstance(note, str) and not re.search(r"[\x00-\x09\x0b-\x1f]", note), "not a note")
    text, blank, block = note.rpartition("\n\n")
    parts, lines, signed = text.split("\n"), block.split("\n"), []
    need(blank and not lines.pop() and len(lines) <= 64, "not a text, a blank line and signatures")
    need(len(parts) > 2 and all(parts), "a checkpoint is three lines or more")
    for line in lines:
        match = re.fullmatch("\u2014 ([^\\s+]+) ([A-Za-z0-9+/=]{8,})", line)
        need(match, "a signature line is not well formed")
        signature = raw(match[2])
        key = (match[1], signature[:4])
        if key in log_keys:
            public = Ed25519PublicKey.from_public_bytes(log_keys[key])
            public.verify(signature[4:], f"{text}\n".encode())
            signed.append(key)
    named = {name for name, _ in signed} == {parts[0]}
    need(named and sorted(signed) == sorted(log_keys), "not signed once by each of the log's keys")
    return number(int(word(parts[1], "[1-9][0-9]{0,18}")), 1), raw(parts[2], 32)


# 14 and 16: entries, and the chain of a channel
def commit(key, opening, text):
    return hmac.digest(key, raw(opening, 32) + text, "sha256")


LINK = ("channel", "count", "index", "slot", "prev_index", "prev", "time", "type", "view")
ENTRY = ("index", "slot", "leaf", "link", "opening", "view", "view_opening", "proof", "checkpoint")


def entry(value, channel, tree):
    """An entry proven by itself: its link, commitment and view."""
    index, slot, leaf, link, opening, view, view_opening, proof, note = form(value, *ENTRY)
    need(note is None, "an entry with a checkpoint of its own")
    leaf, text = raw(leaf), raw(link)
    included(number(index), tree[0], leaf, hashes(proof), tree[1])
    need(len(leaf) > 2 and leaf[0] == 1 and len(leaf) == 2 + 32 * leaf[1], "the leaf is no entry")
    need(number(slot) < leaf[1], "no such commitment in the leaf")
    commitment = leaf[2 + 32 * slot : 34 + 32 * slot]
    need(commit(b"tearline/link/v1", opening, text) == commitment, "not the link committed to")
    found = dict(zip(LINK, form(gate(text), *LINK), strict=True))
    place = [found[name] for name in ("channel", "index", "slot")]
    need(place == [channel, index, slot], "the link belongs to another channel or place")
    number(found["count"]), number(found["prev_index"], -1), number(found["time"])
    word(found["prev"] + found["view"], "[0-9a-f]{128}"), word(found["type"], r"[a-z][a-z0-9_.-]*")
    need((view is None) == (view_opening is None), "a view without its opening, or the reverse")
    found["says"] = None if view is None else gate(raw(view))
    if view is not None:
        hidden = commit(b"tearline/view/v1", view_opening, raw(view)).hex()
        need(hidden == found["view"] and isinstance(found["says"], dict), "not the view")
    return found, commitment.hex()


def head(value, channel, place, tree):
    """What the heads leaf says of a channel: ((count, index, slot, last), time of the leaf)."""
    leaf, text, opening, path, proof = form(value, "leaf", "head", "opening", "path", "proof")
    leaf, text = raw(leaf), raw(text)
    included(tree[0] - 1, tree[0], leaf, hashes(proof), tree[1])
    need(len(leaf) == 43 and leaf[0] == 2, "the tree does not end in a heads leaf")
    when, channels, root = int.from_bytes(leaf[1:9]), int.from_bytes(leaf[9:11]), leaf[11:]
    hidden = commit(b"tearline/head/v1", opening, text)
    included(place, channels, hidden, hashes(path), root)
    found = form(gate(text), "channel", "count", "index", "slot", "last")
    need(found[0] == channel, f"the head is not that of {channel}")
    number(found[1]), number(found[2], -1), number(found[3], -1, 254), word(found[4], HEX)
    return tuple(found[1:]), when


# 25: the file
class File:
    def __init__(self, charter, now_ms):
        self.pinned, self.latest, self.kind, self.begun = charter, now_ms + 300_000, None, False
        self.places, self.tree, self.page, self.orders, self.swept = [MISSION], None, None, {}, 0
        self.tips, self.heads, self.times, self.complete, self.holes = {}, {}, {}, {}, deque()
        self.count, self.erased, self.proven, self.log_keys, self.start = {}, 0, [], {}, None

    def take(self, data):
        need(data.endswith(b"\n"), "the line is cut off")
        value = gate(data, LINE_MAX, prose=True)
        need(isinstance(value, dict) and len(value) == 1, "not one kind of line")
        ((kind, value),) = value.items()
        need((kind == "evidence") == (self.kind is None), "the first line says what it is")
        if kind in ("entry", "statement"):
            need(self.page, "an entry or a statement outside a page")
            self.page[2].append((kind, value))
            return
        self.close()
        if kind == "evidence":
            more = ["continued"] if isinstance(value, dict) and "continued" in value else []
            self.header(*form(value, "v", "kind", "mission", "nation", "size", "charter", *more))
        elif kind == "tree":  # 25.2: a checkpoint that extends the one above
            note, proof = form(value, "checkpoint", "consistency")
            tree = checkpoint(note, self.log_keys)
            need((proof is None) == (self.kind == "receipt"), "a proof where none belongs, or none")
            path = hashes([] if proof is None else proof)
            if proof is not None and self.tree:
                extends(*self.tree, *tree, path)
            need(self.tree or not path, "a proof of consistency with nothing")
            self.tree = tree
        else:  # 25.3: so many entries follow
            need(kind == "page" and self.tree != self.start, "not a line that may stand here")
            channel, entries, told = form(value, "channel", "entries", "head")
            need(channel in (MISSION, self.nation), "a page of another nation")
            need((told is None) == (self.kind == "receipt"), "a head where none belongs, or none")
            self.page = (channel, number(entries, 0, 1000), [], told)

    def header(self, v, kind, mission, nation, size, charter, continued=None):
        """25.1: the charter is the one that was known; or 28: what continued its log is."""
        identity, told, body = said(charter)
        self.named, log = identity, body
        if continued is not None:  # the log goes on from a tree that nations named
            self.named, later, log = said(continued)
            about = (later["type"], (log or {}).get("charter"))
            need(about == ("mission.continue", identity), "it does not continue that charter")
            self.tree = self.start = (number(log["size"], 1), bytes.fromhex(word(log["root"], HEX)))
        need(self.named == self.pinned, "the charter is not the one that you know")
        need(told["type"] == "mission.charter" and body, "no charter with its body")
        known = number(v) == 1 and kind in ("history", "receipt") and mission == told["mission"]
        need(known, "an unknown kind of file, or the charter of another mission")
        self.nation, self.size, self.kind = word(nation, "[A-Z]{3}"), number(size), kind
        for text in log["log_keys"]:
            name, _, material = text.split("+", 2)
            key = raw(material, 33)
            need(key[0] == 1, "the log's key is not Ed25519")
            self.log_keys[name, sha(name.encode(), b"\n", key)[:4]] = key[1:]
        self.places += [nation["code"] for nation in body["nations"]]
        self.floor = body.get("retention_floor")

    def close(self):
        if self.page is None:  # 25.4 to 25.8: the page whose lines have all come
            return
        (channel, entries, lines, told), self.page = self.page, None
        before, shown = self.heads.get(channel), sum(kind == "entry" for kind, _ in lines)
        if told is not None:
            need(channel in self.places, f"{channel} is no nation of the mission yet")
            ends, latest = head(told, channel, self.places.index(channel), self.tree)
            need(latest <= self.latest, "the heads leaf is from the future")
        found = {}
        for at, (kind, value) in enumerate(lines):
            if kind == "statement":  # 25.8: it is the one that the entry above names
                identity, told_, body = said(value)
                names = {"statement": identity, **{k: told_[k] for k in ("nation", "seq", "type")}}
                need(names.items() <= (found.get("says") or {}).items(), "not what the entry names")
                ours = told_["scope"] == "mission" or told_["nation"] == self.nation
                need(body is not None or not ours, "a body is left out that its reader may see")
                if told_["type"] == "nation.admit" and told is not None:
                    self.places.append(body["nation"]["code"])
                if told_["type"] == "retention.set":
                    order = (identity, found["index"], found["time"] // 1000, body["views"])
                    self.orders.setdefault(told_["nation"], []).append(order)
                continue
            index = value.get("index") if isinstance(value, dict) else None
            where = f"entry {self.tips.get(channel, FIRST)[0]} of {channel}, at index {index}"
            try:
                found, commitment = entry(value, channel, self.tree)
                need(found["time"] <= self.latest, "it is from the future")
                if told is not None:  # 16.3, 25.6: the next entry of its channel
                    count, tip = found["count"], self.tips.get(channel, FIRST)
                    need(count == tip[0], f"missing or out of order; number {count} is there")
                    after = (found["prev_index"], found["prev"]) == (tip[1], tip[3])
                    need(after and found["index"] > tip[1], "does not follow the one before")
                    if before and count >= before[0][0]:
                        need(count > before[0][0] or tip == before[0], "not after the head before")
                        need(found["index"] >= before[1], "it was not there when all were shown")
                    need(self.times.get(channel, 0) <= found["time"] <= latest, "time out of order")
                    self.times[channel] = found["time"]
                    self.tips[channel] = (count + 1, found["index"], found["slot"], commitment)
                self.erasure(channel, found)
            except RefusedError as error:
                raise RefusedError(f"{where}: {error}") from None
            self.count[channel] = self.count.get(channel, 0) + 1
            self.erased += found["says"] is None
            self.proven.append((found["index"], channel, found["type"]))
            if self.start and (channel, found["index"]) == (MISSION, self.start[0]):
                self.begun = (found["says"] or {}).get("statement") == self.named
            needed = told and NEEDED.fullmatch(str((found["says"] or {}).get("type")))
            shows = "statement" in dict(lines[at + 1 : at + 2]) or channel != MISSION
            need(shows or not needed, f"{where}: its statement is not shown")
        tip, where = self.tips.get(channel, FIRST), f"of {channel}"
        if told is not None:  # 16.4: the page ends at the head, or before it with something new
            first = f"entry {min(tip[0], ends[0])} {where}: {tip[0]} shown, {ends[0]} exist"
            need(tip[0] == ends[0] or (tip[0] < ends[0] and shown), first)
            need(tip[0] < ends[0] or tip == ends, f"entry {tip[0] - 1} {where}: not the newest")
            same = not before or tip[0] != before[0][0] or tip == before[0]
            need(same, f"entry {tip[0] - 1} {where}: not the one seen before")
            self.heads[channel] = (ends, self.tree[0])
            self.complete[channel] = self.tree[0] if tip[0] == ends[0] else 0
        need(shown == entries, f"entry {tip[0]} {where}: {shown} shown, {entries} announced")

    def erasure(self, channel, found):
        # 27: what is missing was erased later, by an order of its nation that was in force
        says, now, ours = found["says"], found["time"] // 1000, channel != MISSION
        if says is None:
            need(ours and found["type"] != SWEEP, "its view is withheld: it is never erased")
            self.holes.append((found["count"], found["time"], found["index"]))
        if says is None or found["type"] != SWEEP:
            return
        names = ("nation", "order", "before") + (("first", "until") if ours else ())
        nation, order, before, first, until = [*form(says, *names), 0, 0][:5]
        need(nation == channel or not ours, "it erases another nation's views")
        need(number(first) <= number(until) <= found["count"], "it erases what comes after it")
        known = [one for one in self.orders.get(nation, ()) if one[1] < found["index"]]
        ripe = [i for i, o in enumerate(known) if self.floor and o[2] + self.floor * DAY <= now]
        need(ripe and known[ripe[-1]][0] == order, "it erases without an order in force")
        days = [one[3] for one in known[ripe[-1] :]]
        limit = -1 if None in days else (now // DAY - max(days)) * DAY
        need(number(before) <= limit, "it erases what was to be kept longer")
        if ours:
            need(self.kind == "receipt" or first == self.swept, f"not from {self.swept} on")
            gone, self.swept = range(first, until), until
            while self.holes and self.holes[0][0] in gone and self.holes[0][1] < before * 1000:
                self.holes.popleft()

    def end(self):
        self.close()
        need(self.tree is not None, "the file ends before it says anything")
        need(self.tree[0] == self.size, f"the file ends before its tree of {self.size}")
        if self.kind == "history":
            for channel in (MISSION, self.nation):
                done, ends = self.count.get(channel, 0), self.heads.get(channel, [("more",)])[0][0]
                missing = f"entry {done} of {channel}: {done} shown, {ends} exist"
                need(self.complete.get(channel), missing)
            need(self.complete.get(self.nation) == self.size, f"more of {self.nation} is missing")
            need(not self.start or self.begun, "the entry that continues the log is missing")
        need(self.kind == "history" or self.proven, "a receipt of nothing")
        for count, _, index in [*self.holes][:1]:
            raise RefusedError(f"entry {count} of {self.nation}, at index {index}: withheld")
        told = {"kind": self.kind, "nation": self.nation, "size": self.size}
        told |= {"root": self.tree[1].hex(), "entries": self.count, "erased": self.erased}
        return told | ({"proven": self.proven} if self.kind == "receipt" else {})


def said(value):
    """11, 25: identity, head and body of a statement without its signatures."""
    signed, body = form(value, "head", "body")
    signed = raw(signed)
    need(signed[:6] == b"TLST\2\0" and len(signed) <= 4_106, "not a statement")
    need(int.from_bytes(signed[6:10], "big") == len(signed) - 10, "a head of another length")
    names = ("v", "mission", "nation", "seq", "prev", "type", "scope", "issued", "body")
    told = dict(zip(names, form(gate(signed[10:]), *names), strict=True))
    if body is not None:
        need(sha(b"tearline/statement-body\0", raw(body)).hex() == told["body"], "another body")
        body = gate(raw(body))
    return sha(signed).hex(), told, body


def verify(lines, charter, now_ms):
    file, at = File(charter, now_ms), 0
    try:
        for at, line in enumerate(lines, 1):  # noqa: B007 - the refusals below name it
            file.take(line)
        return file.end()
    except (InvalidSignature, RefusedError) as error:  # the former has no words of its own
        raise RefusedError(f"line {at}: {str(error) or 'the signature is wrong'}") from None


if __name__ == "__main__":
    len(sys.argv) == 3 or sys.exit(print(__doc__, file=sys.stderr) or 2)
    try:
        with open(sys.argv[1], "rb") as opened:
            told = iter(lambda: opened.readline(LINE_MAX + 1), b"")
            print(json.dumps(verify(told, sys.argv[2], time.time() * 1000)))
    except (RefusedError, OSError) as error:
        sys.exit(f"refused: {error}")
