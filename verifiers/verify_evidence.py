#!/usr/bin/env python3
"""Verify a Tearline evidence file (.tlev) without Tearline:  verify_evidence.py FILE CHARTER

CHARTER is the identity of the mission's charter, or of what continued its log, 64 hex digits, from another source than
the file. Prints one JSON object and exits with 0 if all holds, else names the first thing wrong and exits with 1.
Written from docs/protocol.md, whose sections the comments name; needs `cryptography`.
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
from itertools import accumulate

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa

LINE_MAX, DAY, HEX, FIRST = 524_352, 86_400, "[0-9a-f]{64}", (0, -1, -1, "0" * 64)
MISSION, SWEEP = "MISSION", "view.erased"
NEEDED = re.compile(r"(nation|policy|report|recall|retention|witness)\..*|mission\.continue|approval")
LINK = ("channel", "count", "index", "slot", "prev_index", "prev", "time", "type", "view")
ENTRY = ("index", "slot", "leaf", "link", "opening", "view", "view_opening", "proof", "checkpoint")


class RefusedError(Exception): ...


def need(holds, why):
    if not holds:
        raise RefusedError(why)


# 1: the gate for JSON
UNSEEN = """0000-0008 000B-000C 000E-001F 007F-009F 00AD 034F 0600-0605 061C 06DD 070F 0890-0891 08E2 115F-1160
17B4-17B5 180B-180F 200B-200F 2028-202E 2060-206F 3164 D800-F8FF FDD0-FDEF FE00-FE0F FEFF FFA0 FFF0-FFFB FFFE-FFFF
110BD 110CD 13430-1343F 1BCA0-1BCA3 1D173-1D17A 1FFFE-1FFFF 2FFFE-2FFFF 3FFFE-3FFFF 4FFFE-4FFFF 5FFFE-5FFFF
6FFFE-6FFFF 7FFFE-7FFFF 8FFFE-8FFFF 9FFFE-9FFFF AFFFE-AFFFF BFFFE-BFFFF CFFFE-CFFFF DFFFE-E0FFF EFFFE-10FFFF"""
PROSE = dict.fromkeys((0x200C, 0x200D, 0xFE0E, 0xFE0F))  # what prose may hold is left out first
HIDDEN = re.compile("[" + "".join("-".join(chr(int(x, 16)) for x in one.split("-")) for one in UNSEEN.split()) + "]")


def pairs(found):
    need(len(dict(found)) == len(found), "a key that stands twice")
    return dict(found)


def gate(data, limit=65_536, *, prose=False):
    need(len(data) <= limit, "a JSON text that is too long")
    try:  # int() takes no 1.5, and no NaN
        text = data.decode("utf-8")
        bare = re.sub(r'"[^"\\]*(?:\\.[^"\\]*)*"', "", text)
        need(not re.search(r"[0-9]{17}|-0(?![0-9])", bare), "an integer too long, or minus zero")
        steps = accumulate((mark in "[{") - (mark in "]}") for mark in re.findall(r"[\[\]{}]", bare))
        need(max(steps, default=0) <= 8, "JSON that nests too deep")
        value = json.loads(text, object_pairs_hook=pairs, parse_float=int, parse_constant=int)
    except ValueError:
        raise RefusedError("not JSON in UTF-8") from None
    flat = json.dumps(value, ensure_ascii=False).replace("\\\\", "")  # what is still escaped here is a control
    need(not re.search(r"\\[bfru]" if prose else r"\\[bfnrtu]", flat), "a control character")
    for shown in (text, flat):
        need(not HIDDEN.search(shown.translate(PROSE) if prose else shown), "a character that nobody can see")
        need(unicodedata.is_normalized("NFC", shown), "text that is not NFC")
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
    need(base64.b64encode(data).decode() == value and len(value) <= 90_000, "base64 too long, or in another spelling")
    need(length in (None, len(data)), "bytes of the wrong length")
    return data


def hashes(value):
    need(isinstance(value, list) and len(value) <= 64, "not a proof")
    return [raw(one, 32) for one in value]


# 15: the tree (RFC 9162 sections 2.1.3.2 and 2.1.4.2) and its checkpoints
def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def included(index, size, leaf, proof, root):
    need(0 <= index < size, "the index is not in the tree")
    inner = (index ^ (size - 1)).bit_length()
    need(len(proof) == inner + (index >> inner).bit_count(), "a proof of the wrong length")
    top = sha(b"\0", leaf)
    for step, node in enumerate(proof):
        top = sha(b"\1", node, top) if step >= inner or index >> step & 1 else sha(b"\1", top, node)
    need(top == root, "not in the tree with this root")


def extends(old, old_root, new, new_root, proof):
    need(0 < old < new, f"a tree of {new} after one of {old}: rolled back, or told twice")
    shift = (old & -old).bit_length() - 1
    path = list(proof) if old != 1 << shift else [old_root, *proof]
    last, inner = (old - 1) >> shift, ((old - 1) ^ (new - 1)).bit_length() - shift
    need(len(path) == 1 + inner + (last >> inner).bit_count(), "a proof of the wrong length")
    left = right = path[0]
    for step, node in enumerate(path[1:]):
        both = step >= inner or last >> step & 1
        left, right = (sha(b"\1", node, x) for x in (left, right)) if both else (left, sha(b"\1", right, node))
    need((left, right) == (old_root, new_root), "the newer tree does not start with the older one: the log forked")


def vkey(text, *kinds):  # a key that signs notes: its (name, key id), and its (kind, public key)
    name, _, material = word(text, r"[^+\s]+\+[^+]+\+.+").split("+", 2)
    key = raw(material)
    need(key[0] in kinds and len(key) == (1313 if key[0] == 6 else 33), "not a key that may sign here")
    return (name, sha(name.encode(), b"\n", key)[:4]), (key[0], key[1:])


def verify_line(name, kind, public, tree, line):  # 15, 26: what each kind of key signs
    text, stamp, cosigned = "".join(f"{x}\n" for x in tree).encode(), line[:8], line[8:]
    if kind == 6:
        name, origin = (bytes([len(x.encode())]) + x.encode() for x in (name, tree[0]))
        told = b"subtree/v1\n\0" + name + stamp + origin + bytes(8) + int(tree[1]).to_bytes(8) + raw(tree[2], 32)
        return mldsa.MLDSA44PublicKey.from_public_bytes(public).verify(cosigned, told)
    told = text if kind == 1 else b"cosignature/v1\ntime %d\n" % int.from_bytes(stamp) + text
    return ed25519.Ed25519PublicKey.from_public_bytes(public).verify(line if kind == 1 else cosigned, told)


def said(value):  # 11, 25: identity, head and body of a statement without its signatures
    signed, body = form(value, "head", "body")
    signed = raw(signed)
    need(signed[:6] == b"TLST\2\0" and int.from_bytes(signed[6:10]) == len(signed) - 10 <= 4_096, "not a statement")
    names = ("v", "mission", "nation", "seq", "prev", "type", "scope", "issued", "body")
    told = dict(zip(names, form(gate(signed[10:]), *names), strict=True))
    if body is not None:
        need(sha(b"tearline/statement-body\0", raw(body)).hex() == told["body"], "the body is not the one signed")
        body = gate(raw(body))
    return sha(signed).hex(), told, body


class File:  # 25
    def __init__(self, charter, now_ms):
        self.pinned, self.latest, self.kind, self.confirmed, self.where = charter, now_ms + 300_000, None, None, ""
        self.places, self.tree, self.page, self.orders, self.swept, self.start = [MISSION], None, None, {}, 0, None
        self.tips, self.heads, self.times, self.complete, self.holes = {}, {}, {}, {}, deque()
        self.count, self.erased, self.proven, self.size, self.at, self.sets, self.begun = {}, 0, [], 0, 0, {}, False

    def take(self, data):
        need(data.endswith(b"\n"), "the line is cut off")
        value = gate(data, LINE_MAX, prose=True)
        need(isinstance(value, dict) and len(value) == 1, "not one kind of line")
        ((kind, value),) = value.items()
        need(
            (kind == "evidence") == (self.kind is None) and not self.confirmed,
            "not the line that is the first, or last",
        )
        if kind in ("entry", "statement"):
            need(self.page, "an entry or a statement outside a page")
            self.page[2].append((kind, value))
            return
        self.close()
        if kind == "evidence":
            more = {"continued"} & set(value if isinstance(value, dict) else ())
            self.header(*form(value, "v", "kind", "mission", "nation", "size", "charter", *more))
        elif kind == "tree":  # 25.2: a checkpoint that extends the one above
            note, proof = form(value, "checkpoint", "consistency")
            *tree, _ = self.checkpoint(note)
            need((proof is None) == (self.kind == "receipt"), "a proof where none belongs, or none")
            need(self.tree or proof in (None, []), "a proof of consistency with nothing")
            if proof is not None and self.tree:
                extends(*self.tree, *tree, hashes(proof))
            self.tree = tree
        elif kind == "confirmed" and self.tree != self.start:
            self.confirm(*form(value, "checkpoint", "consistency"))
        else:  # 25.3: so many entries follow
            need(kind == "page" and self.tree != self.start, "not a line that may stand here")
            channel, entries, told = form(value, "channel", "entries", "head")
            need(channel in (MISSION, self.nation), "a page of another nation")
            need((told is None) == (self.kind == "receipt"), "a head where none belongs, or none")
            self.page = (channel, number(entries, 0, 1000), [], told)

    def checkpoint(self, note, others=()):  # 15: size and root of a note, and who signed it
        need(isinstance(note, str) and not re.search(r"[\x00-\x09\x0b-\x1f]", note), "not a note")
        text, blank, block = note.rpartition("\n\n")
        parts, lines, keys, signed = text.split("\n"), block.split("\n"), {**self.log_keys, **dict(others)}, []
        need(blank and not lines.pop() and len(lines) <= 64 and len(parts) > 2 and all(parts), "not a checkpoint")
        size, root = number(int(word(parts[1], "[1-9][0-9]{0,18}")), 1), raw(parts[2], 32)
        for line in lines:
            match = re.fullmatch("\u2014 ([^\\s+]+) ([A-Za-z0-9+/=]{8,})", line)
            need(match, "a signature line is not well formed")
            key, signature = (match[1], raw(match[2])[:4]), raw(match[2])[4:]
            if key in keys:
                verify_line(match[1], *keys[key], parts, signature)
                signed.append(key)
        need(len(set(signed)) == len(signed), "one key signed twice")
        need({n for n, _ in self.log_keys} == {parts[0]} and set(signed) >= set(self.log_keys), "not by the log's keys")
        return size, root, set(signed)

    def entry(self, value, channel):  # 14, 16: an entry proven by itself: its link, commitment and view
        index, slot, leaf, link, opening, view, view_opening, proof, note = form(value, *ENTRY)
        need(note is None, "an entry with a checkpoint of its own")
        leaf, text = raw(leaf), raw(link)
        included(number(index), self.tree[0], leaf, hashes(proof), self.tree[1])
        need(len(leaf) > 2 and leaf[0] == 1 and len(leaf) == 2 + 32 * leaf[1], "the leaf is no entry")
        need(number(slot) < leaf[1], "no such commitment in the leaf")
        commitment = leaf[2 + 32 * slot : 34 + 32 * slot]
        need(hmac.digest(b"tearline/link/v1", raw(opening, 32) + text, "sha256") == commitment, "not the link it hides")
        found = dict(zip(LINK, form(gate(text), *LINK), strict=True))
        need([found[n] for n in ("channel", "index", "slot")] == [channel, index, slot], "the link is of another place")
        number(found["count"]), number(found["prev_index"], -1), number(found["time"])
        word(found["prev"] + found["view"], "[0-9a-f]{128}"), word(found["type"], r"[a-z][a-z0-9_.-]*")
        need((view is None) == (view_opening is None), "a view without its opening, or the reverse")
        found["says"] = None if view is None else gate(raw(view))
        if view is not None:
            hidden = hmac.digest(b"tearline/view/v1", raw(view_opening, 32) + raw(view), "sha256").hex()
            need(hidden == found["view"] and isinstance(found["says"], dict), "not the view committed to")
        return found, commitment.hex()

    def head(self, value, channel):  # 14: what the heads leaf says of a channel
        need(channel in self.places, f"{channel} is no nation of the mission yet")
        leaf, text, opening, path, proof = form(value, "leaf", "head", "opening", "path", "proof")
        leaf, text = raw(leaf), raw(text)
        included(self.tree[0] - 1, self.tree[0], leaf, hashes(proof), self.tree[1])
        need(len(leaf) == 43 and leaf[0] == 2, "the tree does not end in a heads leaf")
        hidden = hmac.digest(b"tearline/head/v1", raw(opening, 32) + text, "sha256")
        included(self.places.index(channel), int.from_bytes(leaf[9:11]), hidden, hashes(path), leaf[11:])
        found = form(gate(text), "channel", "count", "index", "slot", "last")
        need(found[0] == channel, f"the head is not that of {channel}")
        number(found[1]), number(found[2], -1), number(found[3], -1, 254), word(found[4], HEX)
        return tuple(found[1:]), int.from_bytes(leaf[1:9])

    def header(self, v, kind, mission, nation, size, charter, continued=None):  # 25.1, 28: one that was known
        identity, told, body = said(charter)
        self.named, log = identity, body
        if continued is not None:  # the log goes on from a tree that nations named
            self.named, later, log = said(continued)
            need(later["type"] == "mission.continue" and (log or {}).get("charter") == identity, "it continues another")
            self.tree = self.start = (number(log["size"], 1), bytes.fromhex(word(log["root"], HEX)))
        need(self.named == self.pinned and told["type"] == "mission.charter" and body, "not the charter that you know")
        need(number(v) == 1 and kind in ("history", "receipt") and mission == told["mission"], "an unknown kind")
        self.nation, self.size, self.kind = word(nation, "[A-Z]{3}"), number(size), kind
        self.log_keys = dict(vkey(text, 1) for text in log["log_keys"])
        for key, public in (vkey(text, 4, 6) for text in body["witnesses"]):
            self.sets.setdefault(key[0], [(-1, {})])[0][1][key] = public
        self.quorum, self.floor = body["witness_quorum"], body.get("retention_floor")
        self.run_by = {n["code"]: n["witness"] for n in body["nations"] if n.get("witness")}
        self.places += [nation["code"] for nation in body["nations"]]

    def close(self):  # 25.4 to 25.8: the page whose lines have all come
        if self.page is None:
            return
        (channel, entries, lines, told), self.page = self.page, None
        before, shown = self.heads.get(channel), sum(kind == "entry" for kind, _ in lines)
        if told is not None:
            ends, latest = self.head(told, channel)
            need(latest <= self.latest, "the heads leaf is from the future")
        found = {}
        for at, (kind, value) in enumerate(lines):
            if kind == "statement":  # 25.8: it is the one that the entry above names
                identity, told_, body = said(value)
                names = {"statement": identity, **{k: told_[k] for k in ("nation", "seq", "type")}}
                need(names.items() <= (found.get("says") or {}).items(), "not what the entry names")
                need(body or (told_["scope"] != "mission" and told_["nation"] != self.nation), "a body is left out")
                if told_["type"] == "nation.admit" and told is not None:
                    self.places.append(body["nation"]["code"])
                if told_["type"] == "retention.set":
                    order = (identity, found["index"], found["time"] // 1000, body["views"])
                    self.orders.setdefault(told_["nation"], []).append(order)
                if told_["type"] == "witness.set":
                    self.appoint(found["index"], told_, body)
                continue
            index = value.get("index") if isinstance(value, dict) else None
            self.where = f"entry {self.tips.get(channel, FIRST)[0]} of {channel}, at index {index}: "
            found, commitment = self.entry(value, channel)
            need(found["time"] <= self.latest, "it is from the future")
            if told is not None:  # 16.3, 25.6: the next entry of its channel
                count, tip = found["count"], self.tips.get(channel, FIRST)
                need(count == tip[0], f"missing or out of order; number {count} is there")
                after = (found["prev_index"], found["prev"]) == (tip[1], tip[3]) and found["index"] > tip[1]
                need(after, "does not follow the one before")
                if before and count >= before[0][0]:
                    need(count > before[0][0] or tip == before[0], "not after the head before")
                    need(found["index"] >= before[1], "it was not there when all were shown")
                need(self.times.get(channel, 0) <= found["time"] <= latest, "time out of order")
                tip = (count + 1, found["index"], found["slot"], commitment)
                self.times[channel], self.tips[channel] = found["time"], tip
            self.erasure(channel, found)
            self.count[channel], self.erased = self.count.get(channel, 0) + 1, self.erased + (found["says"] is None)
            self.proven.append((found["index"], channel, found["type"]))
            if self.start and (channel, found["index"]) == (MISSION, self.start[0]):
                self.begun = (found["says"] or {}).get("statement") == self.named
            needed = channel == MISSION and told and NEEDED.fullmatch(str((found["says"] or {}).get("type")))
            need("statement" in dict(lines[at + 1 : at + 2]) or not needed, "its statement is not shown")
        tip, where, self.where = self.tips.get(channel, FIRST), f"of {channel}", ""
        if told is not None:  # 16.4: the page ends at the head, or before it with something new
            first = f"entry {min(tip[0], ends[0])} {where}: {tip[0]} shown, {ends[0]} exist"
            need(tip[0] == ends[0] or (tip[0] < ends[0] and shown), first)
            need(tip[0] < ends[0] or tip == ends, f"entry {tip[0] - 1} {where}: not the newest")
            need(not before or tip[0] != before[0][0] or tip == before[0], f"entry {tip[0] - 1} {where}: not as before")
            self.heads[channel], self.complete[channel] = (ends, self.tree[0]), self.tree[0] if tip == ends else 0
        need(shown == entries, f"entry {tip[0]} {where}: {shown} shown, {entries} announced")

    def erasure(self, channel, found):  # 27: what is missing was erased, by an order
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

    def appoint(self, index, told, body):  # 26: other keys for a nation's witness
        run, public = self.run_by.get(told["nation"]), raw(body["appointer"], 1312)
        need(run and sha(public).hex() == run["appointer"], "a witness is appointed by another")
        lines = (told["mission"], told["nation"], told["seq"], *body["keys"])
        message = b"tearline/witness.set\0" + "".join(f"{one}\n" for one in lines).encode()
        mldsa.MLDSA44PublicKey.from_public_bytes(public).verify(raw(body["appointment"]), message)
        keys, past = dict(vkey(text, 4, 6) for text in body["keys"]), self.sets[run["name"]]
        gone = {key for _, each in past for key in each} - set(past[-1][1])
        need(index > past[-1][0] and not gone & set(keys) and {n for n, _ in keys} == {run["name"]}, "not its keys")
        past.append((index, keys))

    def confirm(self, note, proof):  # 25.10: a quorum cosigned a tree of this history, by the keys that count for it
        size, root, _ = self.checkpoint(note)
        need(self.kind == "receipt" or size <= self.complete.get(MISSION, 0), "behind: not all statements are told")
        now = {n: [k for at, k in each if at < size][-1] for n, each in self.sets.items()}
        *_, signed = self.checkpoint(note, [item for each in now.values() for item in each.items()])
        by = sorted(name for name, each in now.items() if set(each) <= signed)
        need(0 < self.quorum <= len(by), f"cosigned by {len(by)} of {self.quorum} witnesses")
        old, new = sorted(((size, root), tuple(self.tree)))
        need(old[0] < new[0] or (old == new and proof == []), "another tree of this size, or a proof")
        if old != new:
            extends(*old, *new, hashes(proof))
        self.confirmed = {"size": size, "by": by}

    def end(self):
        self.close()
        need(self.tree and self.tree[0] == self.size, f"the file ends before its tree of {self.size}")
        whole = self.kind == "history"
        for channel in (MISSION, self.nation) if whole else ():
            done, ends = self.count.get(channel, 0), self.heads.get(channel, [("more",)])[0][0]
            need(self.complete.get(channel), f"entry {done} of {channel}: {done} shown, {ends} exist")
        need(not whole or self.complete.get(self.nation) == self.size, f"more of {self.nation} is missing")
        need(self.proven and (not whole or not self.start or self.begun), "the entry that continues the log is missing")
        for count, _, index in [*self.holes][:1]:
            raise RefusedError(f"entry {count} of {self.nation}, at index {index}: withheld")
        told = {"kind": self.kind, "nation": self.nation, "size": self.size, "root": self.tree[1].hex()}
        told |= {"entries": self.count, "erased": self.erased, "confirmed": self.confirmed}
        return told | ({"proven": self.proven} if self.kind == "receipt" else {})


def verify(lines, charter, now_ms):
    file = File(charter, now_ms)
    try:
        for file.at, line in enumerate(lines, 1):
            file.take(line)
        return file.end()
    except (InvalidSignature, RefusedError) as error:
        raise RefusedError(f"line {file.at}: {file.where}{str(error) or 'a signature is wrong'}") from None


if __name__ == "__main__":
    len(sys.argv) == 3 or sys.exit(print(__doc__, file=sys.stderr) or 2)
    try:
        with open(sys.argv[1], "rb") as opened:
            told = iter(lambda: opened.readline(LINE_MAX + 1), b"")
            print(json.dumps(verify(told, sys.argv[2], time.time() * 1000)))
    except (RefusedError, OSError) as error:
        sys.exit(f"refused: {error}")
