#!/usr/bin/env node
// Verify a Tearline evidence file (.tlev) without Tearline, and without any package:
//
//     node verify-evidence.mjs FILE CHARTER
//
// CHARTER is the identity of the mission's charter, 64 hex digits, from another source than the file.
// Prints one JSON object and exits with 0 if everything holds; otherwise one line that names the
// first thing wrong, and 1. Written from docs/protocol.md; the numbers in comments are its sections.

import { createHash, createHmac, createPublicKey, verify as verifySignature } from "node:crypto";
import { createReadStream, realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";

const LINE_MAX = 524352;
const SLACK_MS = 300000;
const FIRST = [0, -1, -1, "0".repeat(64)];
const [DAY, SWEEP] = [86400, "view.erased"];
const NEEDED = /^((nation|policy|report|recall|retention|witness)\..*|mission\.continue|approval)$/;

export class Refused extends Error {}

function need(holds, why) {
  if (!holds) throw new Refused(why);
}

// -- 1: the gate for JSON, with a parser of its own: JSON.parse takes keys that stand twice

const UNSEEN =
  /[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F\u00AD\u034F\u0600-\u0605\u061C\u06DD\u070F\u0890\u0891\u08E2\u115F\u1160\u17B4\u17B5\u180B-\u180F\u200B-\u200F\u2028-\u202E\u2060-\u206F\u3164\u{D800}-\u{F8FF}\uFDD0-\uFDEF\uFE00-\uFE0F\uFEFF\uFFA0\uFFF0-\uFFFB\uFFFE\uFFFF\u{110BD}\u{110CD}\u{13430}-\u{1343F}\u{1BCA0}-\u{1BCA3}\u{1D173}-\u{1D17A}\u{1FFFE}\u{1FFFF}\u{2FFFE}\u{2FFFF}\u{3FFFE}\u{3FFFF}\u{4FFFE}\u{4FFFF}\u{5FFFE}\u{5FFFF}\u{6FFFE}\u{6FFFF}\u{7FFFE}\u{7FFFF}\u{8FFFE}\u{8FFFF}\u{9FFFE}\u{9FFFF}\u{AFFFE}\u{AFFFF}\u{BFFFE}\u{BFFFF}\u{CFFFE}\u{CFFFF}\u{DFFFE}-\u{E0FFF}\u{EFFFE}-\u{10FFFF}]/u;
const JOINERS = /[\u200C\u200D\uFE0E\uFE0F]/g;

function seen(text, prose) {
  need(!UNSEEN.test(prose ? text.replace(JOINERS, "") : text), "a character that nobody can see");
  need(text.normalize("NFC") === text, "text that is not NFC");
}

function gate(data, limit = 65536, prose = false) {
  need(data.length <= limit, "a JSON text that is too long");
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    throw new Refused("not UTF-8");
  }
  seen(text, prose);
  let at = 0;
  const space = () => {
    while (" \t\n\r".includes(text[at] ?? "x")) at++;
  };
  const take = (pattern, what) => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    need(match, `not JSON: ${what} at character ${at}`);
    at += match[0].length;
    return match[0];
  };
  const string = () => {
    const literal = take(/"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y, "a string");
    const value = JSON.parse(literal);
    seen(value, prose);
    need(!(prose ? /\r/ : /[\t\n\r]/).test(value), "a line break in a string");
    return value;
  };
  const value = (depth) => {
    space();
    const mark = text[at];
    let found;
    if (mark === "{" || mark === "[") {
      need(depth < 8, "JSON that nests too deep");
      const end = mark === "{" ? "}" : "]";
      found = mark === "{" ? new Map() : [];
      at++;
      space();
      for (let more = text[at] !== end; more; ) {
        space();
        if (mark === "{") {
          const key = string();
          need(!found.has(key), "a key that stands twice");
          space();
          take(/:/y, "a colon");
          found.set(key, value(depth + 1));
        } else found.push(value(depth + 1));
        more = text[at] === ",";
        if (more) at++;
      }
      take(mark === "{" ? /\}/y : /\]/y, "an end");
    } else if (mark === '"') found = string();
    else if (/[-0-9]/.test(mark ?? "")) {
      const digits = take(/-?(?:0|[1-9][0-9]*)(?![0-9.eE])/y, "a plain integer");
      need(digits !== "-0" && digits.replace("-", "").length <= 16, "not a plain integer");
      found = Number(digits);
    } else {
      const word = take(/true|false|null/y, "a value");
      found = { true: true, false: false, null: null }[word];
    }
    space();
    return found;
  };
  const whole = value(0);
  need(at === text.length, "not JSON: something after the end");
  return whole;
}

function form(value, ...names) {
  const fits = value instanceof Map && value.size === names.length;
  need(fits && names.every((name) => value.has(name)), `not an object of ${names}`);
  return names.map((name) => value.get(name));
}

function number(value, low = 0, high = Number.MAX_SAFE_INTEGER) {
  need(Number.isSafeInteger(value) && low <= value && value <= high, "not a number in range");
  return value;
}

function word(value, pattern) {
  need(typeof value === "string" && pattern.test(value), "a text of the wrong form");
  return value;
}

function raw(value, length) {
  need(typeof value === "string" && value.length <= 90000, "not base64");
  const data = Buffer.from(value, "base64");
  need(data.toString("base64") === value, "not base64 in its one spelling");
  need(length === undefined || data.length === length, "bytes of the wrong length");
  return data;
}

function hashes(value) {
  need(Array.isArray(value) && value.length <= 64, "not a proof");
  return value.map((one) => raw(one, 32));
}

// -- 15: the tree (RFC 9162 sections 2.1.3.2 and 2.1.4.2) and its checkpoints

const sha = (...parts) => createHash("sha256").update(Buffer.concat(parts)).digest();
const [LEAF, NODE] = [Buffer.from([0]), Buffer.from([1])];

// Indexes may be larger than 32 bits, so bits are taken by division.
const odd = (n) => n % 2 === 1;
const half = (n) => Math.floor(n / 2);

function included(index, size, leaf, proof, root) {
  need(index >= 0 && index < size, "the index is not in the tree");
  let [at, last, top] = [index, size - 1, sha(LEAF, leaf)];
  for (const node of proof) {
    need(last > 0, "the proof is too long");
    if (odd(at) || at === last) {
      top = sha(NODE, node, top);
      while (!odd(at) && at > 0) [at, last] = [half(at), half(last)];
    } else top = sha(NODE, top, node);
    [at, last] = [half(at), half(last)];
  }
  need(last === 0 && top.equals(root), "the entry is not in the tree with this root");
}

function extend([old, oldRoot], [size, root], proof) {
  need(old > 0 && old < size, `a tree of ${size} after one of ${old}: rolled back, or told twice`);
  const path = Number.isInteger(Math.log2(old)) ? [oldRoot, ...proof] : proof;
  need(path.length > 0, "no proof that one tree extends the other");
  let [at, last] = [old - 1, size - 1];
  while (odd(at)) [at, last] = [half(at), half(last)];
  let [left, right] = [path[0], path[0]];
  for (const node of path.slice(1)) {
    need(last > 0, "the proof is too long");
    if (odd(at) || at === last) {
      [left, right] = [sha(NODE, node, left), sha(NODE, node, right)];
      while (!odd(at) && at > 0) [at, last] = [half(at), half(last)];
    } else right = sha(NODE, right, node);
    [at, last] = [half(at), half(last)];
  }
  const same = last === 0 && left.equals(oldRoot) && right.equals(root);
  need(same, "the newer tree does not start with the older one: the log forked");
}

function vkey(text, ...kinds) {
  const [, name, material] = /^([^+\s]+)\+[0-9a-f]{8}\+([A-Za-z0-9+/=]+)$/.exec(text) ?? [];
  const key = raw(material);
  const fits = kinds.includes(key[0]) && key.length === (key[0] === 6 ? 1 + PUBLIC_BYTES : 33);
  need(fits, "not a key that may sign here");
  const id = sha(Buffer.from(`${name}\n`), key).subarray(0, 4).toString("hex");
  return { name, id, kind: key[0], public: key.subarray(1) };
}

function ed25519(key, message, signature) {
  const x = key.public.toString("base64url");
  const known = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
  return verifySignature(null, message, known, signature);
}

const u64 = (number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(number));
  return bytes;
};

// What each kind of key signs: that of the log the text, those of witnesses a time as well (26).
function signs(key, [origin, size, root], text, line) {
  if (key.kind === 1) return ed25519(key, text, line);
  const [stamp, signature] = [line.subarray(0, 8), line.subarray(8)];
  if (line.length !== (key.kind === 6 ? 8 + SIGNATURE_BYTES : 72)) return false;
  if (key.kind === 4) {
    const time = Buffer.from(`cosignature/v1\ntime ${stamp.readBigUInt64BE()}\n`);
    return ed25519(key, Buffer.concat([time, text]), signature);
  }
  const named = (word) => Buffer.concat([Buffer.from([Buffer.byteLength(word)]), Buffer.from(word)]);
  const tree = [u64(0), u64(size), raw(root, 32)];
  const start = [Buffer.from("subtree/v1\n\0"), named(key.name), stamp, named(origin)];
  return verifies(key.public, Buffer.concat([...start, ...tree]), signature);
}

// Size and root of a note that each of the log's keys signed, and who of the others did.
function checkpoint(note, keys, others = []) {
  need(typeof note === "string" && !/[\x00-\x09\x0b-\x1f]/.test(note), "not a note");
  const cut = note.lastIndexOf("\n\n");
  need(cut >= 0 && note.endsWith("\n"), "not a text, a blank line and signatures");
  const parts = note.slice(0, cut).split("\n");
  const lines = note.slice(cut + 2, -1).split("\n");
  need(parts.length > 2 && parts.every(Boolean) && lines.length <= 64, "not a checkpoint");
  const size = Number(word(parts[1], /^[1-9][0-9]{0,15}$/));
  const signed = new Set();
  for (const line of lines) {
    const match = /^\u2014 ([^\s+]+) ([A-Za-z0-9+/=]{8,})$/u.exec(line);
    need(match, "a signature line is not well formed");
    const signature = raw(match[2]);
    for (const key of [...keys, ...others]) {
      if (key.name !== match[1] || key.id !== signature.subarray(0, 4).toString("hex")) continue;
      need(!signed.has(key), "one key signed twice");
      const text = Buffer.from(note.slice(0, cut + 1));
      need(signs(key, parts, text, signature.subarray(4)), `the signature of ${key.name} is wrong`);
      signed.add(key);
    }
  }
  const whole = keys.length > 0 && keys.every((key) => signed.has(key) && key.name === parts[0]);
  need(whole, "not signed by each of the log's keys");
  return [number(size, 1), raw(parts[2], 32), signed];
}

// -- 11, 14 and 16: statements, entries, and the head of a channel

function said(value) {
  const [signed, body] = form(value, "head", "body");
  const head = raw(signed);
  const right = head.subarray(0, 6).equals(Buffer.from("TLST\x02\x00", "latin1"));
  need(right && head.length >= 10 && head.length <= 4106, "not a statement");
  need(head.readUInt32BE(6) === head.length - 10, "a head of another length");
  const told = gate(head.subarray(10));
  form(told, "v", "mission", "nation", "seq", "prev", "type", "scope", "issued", "body");
  let opened = null;
  if (body !== null) {
    const digest = sha(Buffer.from("tearline/statement-body\0"), raw(body)).toString("hex");
    need(digest === told.get("body"), "the body is not the one that was signed");
    opened = gate(raw(body));
  }
  return { identity: sha(head).toString("hex"), head: told, body: opened };
}

function commit(key, opening, text) {
  return createHmac("sha256", key).update(raw(opening, 32)).update(text).digest();
}

const LINK = ["channel", "count", "index", "slot", "prev_index", "prev", "time", "type", "view"];
const ENTRY = ["index", "slot", "leaf", "link", "opening", "view", "view_opening", "proof", "checkpoint"];
const TYPE = /^[a-z][a-z0-9_-]*(\.[a-z0-9_-]+){0,3}$/;
const HEX = /^[0-9a-f]{64}$/;

function entry(value, channel, [size, root]) {
  const [index, slot, leaf64, link64, opening, view, viewOpening, proof, note] = form(value, ...ENTRY);
  need(note === null, "an entry with a checkpoint of its own");
  const leaf = raw(leaf64);
  included(number(index), size, leaf, hashes(proof), root);
  need(leaf.length > 2 && leaf[0] === 1 && leaf.length === 2 + 32 * leaf[1], "the leaf is no entry");
  need(number(slot) < leaf[1], "no such commitment in the leaf");
  const commitment = leaf.subarray(2 + 32 * slot, 34 + 32 * slot);
  const text = raw(link64);
  const isCommitted = commit("tearline/link/v1", opening, text).equals(commitment);
  need(isCommitted, "the link is not what was committed to");
  const link = Object.fromEntries(form(gate(text), ...LINK).map((part, i) => [LINK[i], part]));
  const own = link.channel === channel && link.index === index && link.slot === slot;
  need(own, "the link belongs to another channel or place");
  number(link.count), number(link.prev_index, -1), number(link.time);
  word(link.prev, HEX), word(link.view, HEX), word(link.type, TYPE);
  need((view === null) === (viewOpening === null), "a view without its opening, or the reverse");
  link.says = null;
  if (view !== null) {
    const hidden = commit("tearline/view/v1", viewOpening, raw(view)).toString("hex");
    need(hidden === link.view, "the view is not what was committed to");
    link.says = gate(raw(view));
    need(link.says instanceof Map, "the view is not an object");
  }
  return { ...link, commitment: commitment.toString("hex") };
}

function headOf(value, channel, place, [size, root]) {
  const [leaf64, head64, opening, path, proof] = form(value, "leaf", "head", "opening", "path", "proof");
  const leaf = raw(leaf64);
  included(size - 1, size, leaf, hashes(proof), root);
  need(leaf.length === 43 && leaf[0] === 2, "the tree does not end in a heads leaf");
  const text = raw(head64);
  const hidden = commit("tearline/head/v1", opening, text);
  included(place, leaf.readUInt16BE(9), hidden, hashes(path), leaf.subarray(11));
  const [named, count, index, slot, last] = form(gate(text), "channel", "count", "index", "slot", "last");
  need(named === channel, `the head is not that of ${channel}`);
  number(count), number(index, -1), number(slot, -1), word(last, HEX);
  return { ends: [count, index, slot, last], time: Number(leaf.readBigUInt64BE(1)) };
}

// -- 25: the file

const same = (a, b) => a.every((part, i) => part === b[i]);

class Reading {
  places = ["MISSION"];
  channels = new Map();
  erased = 0;
  proven = [];
  orders = new Map();
  confirmed = null;

  constructor(charter, nowMs) {
    this.pinned = charter;
    this.latest = nowMs + SLACK_MS;
  }

  take(data) {
    const line = gate(data, LINE_MAX, true);
    need(line instanceof Map && line.size === 1, "not one kind of line");
    const [[kind, value]] = line;
    need((kind === "evidence") === (this.kind === undefined), "the first line says what it is");
    need(this.confirmed === null, "a line after the last");
    if (kind === "entry" || kind === "statement") {
      need(this.page, "an entry or a statement outside a page");
      this.page.lines.push([kind, value]);
      return;
    }
    this.close();
    if (kind === "evidence") this.header(value);
    else if (kind === "tree") this.grow(value);
    else if (kind === "confirmed") this.confirm(value);
    else {
      need(kind === "page" && this.tree, "not a line that may stand here");
      const [channel, entries, head] = form(value, "channel", "entries", "head");
      need(channel === "MISSION" || channel === this.nation, "a page of another nation");
      need((head === null) === (this.kind === "receipt"), "a head where none belongs, or none");
      this.page = { channel, entries: number(entries, 0, 1000), head, lines: [] };
    }
  }

  // 25.1: the charter is the one that was known
  header(value) {
    const more = value instanceof Map && value.has("continued") ? ["continued"] : [];
    const [v, kind, mission, nation, size, charter, continued] = form(
      value, "v", "kind", "mission", "nation", "size", "charter", ...more);
    const { identity, head, body } = said(charter);
    const log = more.length ? this.continuation(continued, identity) : body;
    need((this.named ?? identity) === this.pinned, "the charter is not the one that you know");
    need(head.get("type") === "mission.charter" && body, "no charter with its body");
    need(v === 1 && (kind === "history" || kind === "receipt"), "an unknown kind of file");
    need(mission === head.get("mission"), "the charter of another mission");
    this.keys = log.get("log_keys").map((text) => vkey(text, 1));
    this.sets = new Map();
    for (const key of body.get("witnesses").map((text) => vkey(text, 4, 6))) {
      if (!this.sets.has(key.name)) this.sets.set(key.name, [{ index: -1, keys: [] }]);
      this.sets.get(key.name)[0].keys.push(key);
    }
    this.quorum = body.get("witness_quorum");
    this.runBy = new Map(body.get("nations").map((one) => [one.get("code"), one.get("witness")]));
    this.places.push(...body.get("nations").map((one) => one.get("code")));
    this.floor = body.get("retention_floor") ?? null;
    [this.nation, this.size, this.kind] = [word(nation, /^[A-Z]{3}$/), number(size), kind];
  }

  // 28: the log goes on from a tree that nations named; gives the statement's body
  continuation(continued, charter) {
    const { identity, head, body } = said(continued);
    need(head.get("type") === "mission.continue" && body, "no continuation with its body");
    need(body.get("charter") === charter, "the charter is not the one that was continued");
    this.named = identity;
    this.start = [number(body.get("size"), 1), Buffer.from(word(body.get("root"), HEX), "hex")];
    return body;
  }

  // 25.2: a checkpoint that extends the one above
  grow(value) {
    const [note, proof] = form(value, "checkpoint", "consistency");
    const tree = checkpoint(note, this.keys);
    need((proof === null) === (this.kind === "receipt"), "a proof where none belongs, or none");
    const path = proof === null ? [] : hashes(proof);
    const before = this.tree ?? this.start;
    if (proof !== null && before) extend(before, tree, path);
    need(before || path.length === 0, "a proof of consistency with nothing");
    this.tree = tree;
  }

  // 25.4 to 25.8: the page whose lines have all come
  close() {
    if (!this.page) return;
    const { channel, entries, head, lines } = this.page;
    this.page = undefined;
    const at = this.channels.get(channel) ?? { tip: FIRST, time: 0, shown: 0, swept: 0, gone: 0, holes: [] };
    this.channels.set(channel, at);
    const shown = lines.filter(([kind]) => kind === "entry").length;
    let heads;
    if (head !== null) {
      need(this.places.includes(channel), `${channel} is no nation of the mission yet`);
      heads = headOf(head, channel, this.places.indexOf(channel), this.tree);
      need(heads.time <= this.latest, "the heads leaf is from the future");
    }
    let found = null;
    lines.forEach(([kind, value], number) => {
      if (kind === "statement") {
        this.statement(value, found);
        return;
      }
      const index = value instanceof Map ? value.get("index") : "?";
      const where = `entry ${at.tip[0]} of ${channel}, at index ${index}`;
      try {
        found = entry(value, channel, this.tree);
        need(found.time <= this.latest, "it is from the future");
        if (heads) this.follow(found, at, heads);
        const needed = NEEDED.test(found.says?.get("type"));
        const told = lines[number + 1]?.[0] === "statement";
        need(!needed || !heads || channel !== "MISSION" || told, "its statement is not shown");
        this.erasure(channel, found, at);
      } catch (error) {
        throw error instanceof Refused ? new Refused(`${where}: ${error.message}`) : error;
      }
      at.shown++;
      this.erased += found.says === null ? 1 : 0;
      this.proven.push([found.index, channel, found.type]);
      if (channel === "MISSION" && found.index === this.start?.[0]) {
        need(found.says?.get("statement") === this.named, `${where}: it does not continue the log`);
        this.begun = true;
      }
    });
    if (heads) this.ends(channel, at, heads.ends, shown);
    need(shown === entries, `entry ${at.tip[0]} of ${channel}: ${shown} shown, ${entries} announced`);
  }

  // 16.3 and 25.6: the next entry of its channel
  follow(found, at, { time }) {
    const [count, index, , last] = at.tip;
    need(found.count === count, `missing or out of order; number ${found.count} is there`);
    const after = found.prev_index === index && found.prev === last && found.index > index;
    need(after, "does not follow the one before");
    if (at.head && found.count >= at.head[0]) {
      need(found.count > at.head[0] || same(at.tip, at.head), "does not follow the head before");
      need(found.index >= at.size, "it was not there when all were shown");
    }
    need(at.time <= found.time && found.time <= time, "its time is out of order");
    at.time = found.time;
    at.tip = [count + 1, found.index, found.slot, found.commitment];
  }

  // 16.4: the page ends at the head, or before it with something new
  ends(channel, at, ends, entries) {
    const [count, whole] = [at.tip[0], at.tip[0] === ends[0]];
    const first = `entry ${Math.min(count, ends[0])} of ${channel}`;
    need(whole || (count < ends[0] && entries > 0), `${first}: ${count} shown, ${ends[0]} exist`);
    need(!whole || same(at.tip, ends), `entry ${count - 1} of ${channel}: not the newest`);
    const known = !at.head || count !== at.head[0] || same(at.tip, at.head);
    need(known, `entry ${count - 1} of ${channel}: not the one seen before`);
    [at.head, at.size, at.complete] = [ends, this.tree[0], whole ? this.tree[0] : 0];
  }

  // 27: what is missing was erased later, by an order of its nation that was in force
  erasure(channel, found, at) {
    const [now, mission] = [Math.floor(found.time / 1000), channel === "MISSION"];
    if (found.says === null) {
      const never = mission || found.type === SWEEP;
      need(!never, "its view is withheld: such a view is never erased");
      at.holes.push({ count: found.count, index: found.index, time: found.time });
    }
    if (found.says === null || found.type !== SWEEP) return;
    const range = mission ? [] : ["first", "until"];
    const [nation, order, before, first, until] = form(found.says, "nation", "order", "before", ...range);
    if (!mission) {
      need(nation === channel, "it erases another nation's views");
      const fits = number(first) <= number(until) && until <= found.count;
      need(fits, "it erases what comes after it");
    }
    const known = (this.orders.get(nation) ?? []).filter((one) => one.index < found.index);
    const ripe = known.findLastIndex((one) => this.floor !== null && one.time + this.floor * DAY <= now);
    need(ripe >= 0 && known[ripe].identity === order, "it erases without an order in force");
    const days = known.slice(ripe).map((one) => one.views);
    const limit = (Math.floor(now / DAY) - Math.max(...days)) * DAY;
    const kept = days.includes(null) || number(before) > limit;
    need(!kept, "it erases what was to be kept longer");
    if (mission) return;
    need(this.kind === "receipt" || first === at.swept, `it does not erase from ${at.swept} on`);
    at.swept = until;
    const covers = ({ count, time }) => first <= count && count < until && time < before * 1000;
    while (at.gone < at.holes.length && covers(at.holes[at.gone])) at.gone++;
  }

  // 25.8: a statement is the one that the entry above names
  statement(value, entry) {
    const view = entry?.says;
    const { identity, head, body } = said(value);
    const named = ["nation", "seq", "type"].every((name) => view?.get(name) === head.get(name));
    need(named && view.get("statement") === identity, "not what the entry above names");
    const ours = head.get("scope") === "mission" || head.get("nation") === this.nation;
    need(body !== null || !ours, "a body is left out that its reader may see");
    const admits = head.get("type") === "nation.admit" && this.kind === "history";
    if (admits) this.places.push(body.get("nation").get("code"));
    if (head.get("type") === "retention.set") {
      const [nation, known] = [head.get("nation"), this.orders.get(head.get("nation")) ?? []];
      const order = { identity, index: entry.index, views: body.get("views") };
      this.orders.set(nation, [...known, { ...order, time: Math.floor(entry.time / 1000) }]);
    }
    if (head.get("type") === "witness.set") this.appoint(entry.index, head, body);
  }

  // 26: other keys for a nation's witness, appointed by the key that the charter names
  appoint(index, head, body) {
    const run = this.runBy.get(head.get("nation"));
    const appointer = raw(body.get("appointer"), PUBLIC_BYTES);
    const right = run && sha(appointer).toString("hex") === run.get("appointer");
    need(right, "a witness is appointed by another key");
    const place = ["mission", "nation", "seq"].map((name) => head.get(name));
    const told = [...place, ...body.get("keys")].map((word) => `${word}\n`).join("");
    const message = Buffer.from(`tearline/witness.set\0${told}`);
    need(verifies(appointer, message, raw(body.get("appointment"))), "a signature is wrong: the appointment");
    const [keys, past] = [body.get("keys").map((text) => vkey(text, 4, 6)), this.sets.get(run.get("name"))];
    const has = (set, key) => set.some((one) => one.public.equals(key.public));
    const gone = past.flatMap((one) => one.keys).filter((key) => !has(past.at(-1).keys, key));
    const fits = keys.every((key) => key.name === run.get("name") && !has(gone, key));
    need(fits && index > past.at(-1).index, "keys that this witness cannot have");
    past.push({ index, keys });
  }

  // 25.10: a quorum cosigned a tree of this history, by the keys that count for it
  confirm(value) {
    const [note, proof] = form(value, "checkpoint", "consistency");
    need(this.tree, "confirmed before any tree");
    const [size] = checkpoint(note, this.keys);
    const known = this.kind === "receipt" || size <= (this.channels.get("MISSION")?.complete ?? 0);
    need(known, "behind: whose cosignatures count for this tree is not shown");
    const sets = [...this.sets.values()].map((each) => each.findLast((one) => one.index < size).keys);
    const [, root, signed] = checkpoint(note, this.keys, sets.flat());
    const by = sets.filter((keys) => keys.every((key) => signed.has(key))).map(([key]) => key.name);
    need(this.quorum > 0 && by.length >= this.quorum, `cosigned by ${by.length} of ${this.quorum} witnesses`);
    const [old, newer] = size < this.tree[0] ? [[size, root], this.tree] : [this.tree, [size, root]];
    const path = hashes(proof);
    if (old[0] < newer[0]) extend(old, newer, path);
    else need(old[1].equals(newer[1]) && path.length === 0, "another tree of this size, or a proof");
    this.confirmed = { size, by: by.sort() };
  }

  // 25.9: nothing is missing
  end() {
    this.close();
    need(this.tree, "the file ends before it says anything");
    need(this.tree[0] === this.size, `the file ends before its tree of ${this.size}`);
    if (this.kind === "history") {
      for (const channel of ["MISSION", this.nation]) {
        const { tip, head, complete } = this.channels.get(channel) ?? { tip: FIRST };
        const missing = `entry ${tip[0]} of ${channel}: ${tip[0]} shown, ${head?.[0] ?? "more"} exist`;
        need(complete, missing);
      }
      const whole = this.channels.get(this.nation).complete === this.size;
      need(whole, `entries of ${this.nation} are missing up to ${this.size}`);
      need(this.begun || !this.start, "the entry that continues the log is missing");
    }
    need(this.kind === "history" || this.proven.length, "a receipt of nothing");
    for (const [channel, { holes, gone }] of this.channels) {
      const { count, index } = holes[gone] ?? {};
      const where = `entry ${count} of ${channel}, at index ${index}`;
      need(gone === holes.length, `${where}: its view is withheld, and no entry erased it`);
    }
    return {
      kind: this.kind,
      nation: this.nation,
      size: this.size,
      root: this.tree[1].toString("hex"),
      entries: Object.fromEntries([...this.channels].map(([name, at]) => [name, at.shown])),
      erased: this.erased,
      confirmed: this.confirmed,
      ...(this.kind === "receipt" ? { proven: this.proven } : {}),
    };
  }
}

export async function verify(chunks, charter, nowMs) {
  const reading = new Reading(charter, nowMs);
  let [line, rest] = [0, Buffer.alloc(0)];
  try {
    for await (const chunk of chunks) {
      rest = Buffer.concat([rest, chunk]);
      for (let cut; (cut = rest.indexOf(10)) >= 0; rest = rest.subarray(cut + 1)) {
        line++;
        reading.take(rest.subarray(0, cut + 1));
      }
      need(rest.length <= LINE_MAX, "a line that is too long");
    }
    need(rest.length === 0, "the last line is cut off");
    return reading.end();
  } catch (error) {
    throw error instanceof Refused ? new Refused(`line ${line}: ${error.message}`) : error;
  }
}

// -- ML-DSA-44, verification alone (FIPS 204; its algorithm numbers stand in the comments)
//
// What is checked is public, so nothing here has to take the same time. Coefficients are integers
// from 0 to q - 1; a product of two has at most 46 bits, which a number holds exactly.

const Q = 8380417;
const [K, L, N, D] = [4, 4, 256, 13]; // rows and columns of A, coefficients, bits dropped from t
const [TAU, BETA, OMEGA] = [39, 78, 80]; // ones in the challenge, TAU times ETA, ones in the hint
const [GAMMA1, GAMMA2] = [1 << 17, (Q - 1) / 88];
const [SEED, T1_BYTES, Z_BYTES, W1_BYTES] = [32, 320, 576, 192]; // of 10, 18 and 6 bits
const [PUBLIC_BYTES, SIGNATURE_BYTES] = [SEED + K * T1_BYTES, SEED + L * Z_BYTES + OMEGA + K];

// Whether it is a signature over the message (algorithm 3, with algorithm 8); all are byte arrays.
function verifies(publicKey, message, signature, context = new Uint8Array(0)) {
  if (publicKey.length !== PUBLIC_BYTES || signature.length !== SIGNATURE_BYTES) return false;
  if (context.length > 255) return false;
  const rho = publicKey.subarray(0, SEED); // algorithm 23, pkDecode
  const t1 = each(K, (i) => unpacked(publicKey, SEED + i * T1_BYTES, 10));
  const challenge = signature.subarray(0, SEED); // algorithm 27, sigDecode
  const z = each(L, (i) => unpacked(signature, SEED + i * Z_BYTES, 18).map((v) => GAMMA1 - v));
  const hint = hints(signature.subarray(SEED + L * Z_BYTES));
  if (hint === null) return false;
  if (z.some((poly) => poly.some((v) => Math.abs(v) >= GAMMA1 - BETA))) return false;
  const c = transformed(inBall(challenge));
  const zHat = z.map((poly) => transformed(poly.map((v) => (v + Q) % Q)));
  const tHat = t1.map((poly) => transformed(poly.map((v) => v * 2 ** D)));
  const tr = shake256(publicKey).take(64);
  const mu = shake256(tr, [0, context.length], context, message).take(64);
  const w1 = each(K, (row) => {
    const sum = new Int32Array(N);
    for (let column = 0; column < L; column++) {
      const a = uniform(rho, row, column);
      for (let i = 0; i < N; i++) sum[i] = (sum[i] + a[i] * zHat[column][i]) % Q;
    }
    for (let i = 0; i < N; i++) sum[i] = (sum[i] + (Q - c[i]) * tHat[row][i]) % Q;
    return packed(restored(sum).map((v, i) => highBits(v, hint[row][i])));
  });
  const found = shake256(mu, ...w1).take(SEED);
  return found.every((byte, i) => byte === challenge[i]);
}

const each = (count, make) => Array.from({ length: count }, (_, i) => make(i));

// -- bytes to polynomials

// Algorithms 18 and 19: coefficients of so many bits, from the lowest bit on.
function unpacked(bytes, start, bits) {
  const found = new Int32Array(N);
  let [at, held, count] = [start, 0, 0];
  for (let i = 0; i < N; i++) {
    for (; count < bits; count += 8) held |= bytes[at++] << count;
    found[i] = held & ((1 << bits) - 1);
    held >>>= bits;
    count -= bits;
  }
  return found;
}

// Algorithm 16 with 6 bits, as algorithm 28 (w1Encode) needs it.
function packed(poly) {
  const found = new Uint8Array(W1_BYTES);
  for (let i = 0, at = 0; i < N; i += 4) {
    const four = poly[i] | (poly[i + 1] << 6) | (poly[i + 2] << 12) | (poly[i + 3] << 18);
    for (let shift = 0; shift < 24; shift += 8) found[at++] = four >> shift;
  }
  return found;
}

// Algorithm 21, HintBitUnpack: null for what is not written in its one way.
function hints(bytes) {
  const found = each(K, () => new Uint8Array(N));
  let index = 0;
  for (let row = 0; row < K; row++) {
    const [first, end] = [index, bytes[OMEGA + row]];
    if (end < index || end > OMEGA) return null;
    for (; index < end; index++) {
      if (index > first && bytes[index - 1] >= bytes[index]) return null;
      found[row][bytes[index]] = 1;
    }
  }
  return bytes.subarray(index, OMEGA).some((byte) => byte !== 0) ? null : found;
}

// Algorithm 29, SampleInBall: TAU coefficients of 1 or -1, all others 0.
function inBall(seed) {
  const [stream, found] = [shake256(seed), new Int32Array(N)];
  const signs = stream.take(8);
  for (let i = N - TAU; i < N; i++) {
    let j = stream.next();
    while (j > i) j = stream.next();
    const bit = i - (N - TAU);
    found[i] = found[j];
    found[j] = (signs[bit >> 3] >> (bit & 7)) & 1 ? Q - 1 : 1;
  }
  return found;
}

// Algorithms 30 and 32: one polynomial of the matrix A, drawn until it has all coefficients.
function uniform(rho, row, column) {
  const [stream, found] = [shake128(rho, [column, row]), new Int32Array(N)];
  for (let i = 0; i < N; ) {
    const value = stream.next() | (stream.next() << 8) | ((stream.next() & 127) << 16);
    if (value < Q) found[i++] = value; // algorithm 14
  }
  return found;
}

// Algorithm 40, UseHint, with algorithm 36, Decompose.
function highBits(r, hint) {
  const [step, count] = [2 * GAMMA2, (Q - 1) / (2 * GAMMA2)];
  let low = r % step;
  if (low > GAMMA2) low -= step;
  let high = (r - low) / step;
  if (r - low === Q - 1) [high, low] = [0, low - 1];
  if (!hint) return high;
  return (high + (low > 0 ? 1 : count - 1)) % count;
}

// -- the number-theoretic transform

// Appendix B: powers of 1753, their exponents with bits reversed.
const ZETAS = each(N, (i) => {
  let [power, exponent] = [1, 0];
  for (let bit = 0; bit < 8; bit++) exponent |= ((i >> bit) & 1) << (7 - bit);
  while (exponent-- > 0) power = (power * 1753) % Q;
  return power;
});

// Algorithm 41, NTT, of coefficients from 0 to q - 1.
function transformed(poly) {
  const w = Int32Array.from(poly);
  let m = 0;
  for (let length = 128; length >= 1; length >>= 1)
    for (let start = 0; start < N; start += 2 * length) {
      const zeta = ZETAS[++m];
      for (let j = start; j < start + length; j++) {
        const t = (zeta * w[j + length]) % Q;
        w[j + length] = (w[j] - t + Q) % Q;
        w[j] = (w[j] + t) % Q;
      }
    }
  return w;
}

// Algorithm 42, the way back.
function restored(poly) {
  const w = Int32Array.from(poly);
  let m = N;
  for (let length = 1; length < N; length *= 2)
    for (let start = 0; start < N; start += 2 * length) {
      const zeta = Q - ZETAS[--m];
      for (let j = start; j < start + length; j++) {
        const t = w[j];
        w[j] = (t + w[j + length]) % Q;
        w[j + length] = (zeta * (t - w[j + length] + Q)) % Q;
      }
    }
  return w.map((v) => (v * 8347681) % Q); // the inverse of 256
}

// -- SHAKE (FIPS 202): lanes of 64 bits are pairs of 32, the lower half first

const LOWER = [
  0x00000001, 0x00008082, 0x0000808a, 0x80008000, 0x0000808b, 0x80000001, 0x80008081, 0x00008009,
  0x0000008a, 0x00000088, 0x80008009, 0x8000000a, 0x8000808b, 0x0000008b, 0x00008089, 0x00008003,
  0x00008002, 0x00000080, 0x0000800a, 0x8000000a, 0x80008081, 0x00008080, 0x80000001, 0x80008008,
];
// Of the upper halves the round constants have the top bit or none.
const UPPER = [0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 0, 1];
const TURNS = [
  1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44,
];
const PLACES = [10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1];
const COLUMNS = new Int32Array(10);

// Without swaps by destructuring: this is where the time goes.
function permute(s) {
  const c = COLUMNS;
  for (let round = 0; round < 24; round++) {
    for (let x = 0; x < 10; x++) c[x] = s[x] ^ s[x + 10] ^ s[x + 20] ^ s[x + 30] ^ s[x + 40]; // θ
    for (let x = 0; x < 10; x += 2) {
      const left = (x + 8) % 10;
      const low = c[(x + 2) % 10];
      const high = c[(x + 3) % 10];
      const a = c[left] ^ ((low << 1) | (high >>> 31));
      const b = c[left + 1] ^ ((high << 1) | (low >>> 31));
      for (let y = x; y < 50; y += 10) {
        s[y] ^= a;
        s[y + 1] ^= b;
      }
    }
    let low = s[2]; // ρ and π
    let high = s[3];
    for (let i = 0; i < 24; i++) {
      const at = 2 * PLACES[i];
      const turn = TURNS[i] & 31;
      const a = TURNS[i] < 32 ? low : high;
      const b = TURNS[i] < 32 ? high : low;
      low = s[at];
      high = s[at + 1];
      s[at] = (a << turn) | (b >>> 1 >>> (31 - turn));
      s[at + 1] = (b << turn) | (a >>> 1 >>> (31 - turn));
    }
    for (let y = 0; y < 50; y += 10) {
      for (let x = 0; x < 10; x++) c[x] = s[y + x]; // χ
      for (let x = 0; x < 10; x++) s[y + x] ^= ~c[(x + 2) % 10] & c[(x + 4) % 10];
    }
    s[0] ^= LOWER[round]; // ι
    s[1] ^= UPPER[round] << 31;
  }
}

// Absorbs all parts, then gives bytes for as long as it is asked.
function sponge(rate, parts) {
  const state = new Int32Array(50);
  let at = 0;
  const full = () => {
    if (at < rate) return;
    permute(state);
    at = 0;
  };
  const mix = (place, byte) => (state[place >> 2] ^= byte << (8 * (place & 3)));
  const next = () => {
    full();
    const byte = (state[at >> 2] >>> (8 * (at & 3))) & 255;
    at++;
    return byte;
  };
  for (const part of parts)
    for (let i = 0; i < part.length; i++) {
      full();
      mix(at++, part[i]);
    }
  full();
  mix(at, 0x1f);
  mix(rate - 1, 0x80);
  at = rate;
  return { next, take: (count) => new Uint8Array(count).map(next) };
}

const shake128 = (...parts) => sponge(168, parts);
const shake256 = (...parts) => sponge(136, parts);

// -- the end of ML-DSA-44

async function main([file, charter, ...more]) {
  if (!charter || more.length) {
    console.error("usage: node verify-evidence.mjs FILE CHARTER");
    process.exit(2);
  }
  try {
    console.log(JSON.stringify(await verify(createReadStream(file), charter, Date.now())));
  } catch (error) {
    console.error(`refused: ${error.message}`);
    process.exit(1);
  }
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await main(process.argv.slice(2));
}
