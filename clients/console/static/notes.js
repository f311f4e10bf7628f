// Checkpoints and who signed them, checked in this browser: Ed25519 with WebCrypto, ML-DSA-44 with
// mldsa44.js. Written from docs/protocol.md; the numbers in comments are its sections.

import { SIGNATURE_BYTES, verifies } from "./mldsa44.js";

export class Disagrees extends Error {}

export function need(holds, why) {
  if (!holds) throw new Disagrees(why);
}

export const text = (bytes) => new TextDecoder("utf-8", { fatal: true }).decode(bytes);
export const bytes = (string) => new TextEncoder().encode(string);
export const hex = (data) => Array.from(data, (b) => b.toString(16).padStart(2, "0")).join("");
export const same = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);

export function raw(base64, length) {
  need(typeof base64 === "string", "a field that is not base64");
  let data;
  try {
    data = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  } catch {
    throw new Disagrees("a field that is not base64");
  }
  need(btoa(String.fromCharCode(...data)) === base64, "base64 that is not in its one spelling");
  need(length === undefined || data.length === length, "bytes of the wrong length");
  return data;
}

export function joined(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
  return whole;
}

export const sha = async (...parts) =>
  new Uint8Array(await crypto.subtle.digest("SHA-256", joined(...parts)));

// -- 15: keys and checkpoints

export async function vkey(written) {
  const match = /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(written) ?? [];
  const [, name, id, material] = match;
  need(name, "a key that is not well formed");
  const key = raw(material);
  const own = (await sha(bytes(`${name}\n`), key)).subarray(0, 4);
  need(hex(own) === id, "a key whose id is not its own");
  return { name, id, kind: key[0], public: key.subarray(1) };
}

async function signedBy(key, signature, message) {
  const known = await crypto.subtle.importKey("raw", key.public, { name: "Ed25519" }, false, [
    "verify",
  ]);
  return crypto.subtle.verify({ name: "Ed25519" }, known, signature, message);
}

function note(written) {
  const cut = written.lastIndexOf("\n\n");
  need(
    cut >= 0 && written.endsWith("\n") && !/[\x00-\x09\x0b-\x1f]/.test(written),
    "the checkpoint is not a note",
  );
  const lines = written
    .slice(cut + 2, -1)
    .split("\n")
    .map((line) => {
      const [, name, material] = /^\u2014 ([^\s+]+) ([A-Za-z0-9+/=]{8,})$/u.exec(line) ?? [];
      need(name, "a signature line of the checkpoint is not well formed");
      const data = raw(material);
      return { name, id: hex(data.subarray(0, 4)), data: data.subarray(4) };
    });
  const signed = written.slice(0, cut + 1);
  const [origin, size, root] = signed.split("\n");
  need(/^(0|[1-9][0-9]{0,15})$/.test(size ?? ""), "the checkpoint's size is not a number");
  return { origin, size: Number(size), root: raw(root, 32), signed: bytes(signed), lines };
}

export async function checkpoint(written, keys) {
  const tree = note(written);
  for (const key of keys) {
    need(key.kind === 1 && key.name === tree.origin, "the checkpoint is not of this log");
    const lines = tree.lines.filter((line) => line.name === key.name && line.id === key.id);
    need(lines.length === 1, "the log's key did not sign the checkpoint, or twice");
    need(
      await signedBy(key, lines[0].data, tree.signed),
      "the log's signature under the checkpoint is wrong",
    );
  }
  need(keys.length > 0, "no key of the log is known");
  return tree;
}

// -- 26: cosignatures (C2SP tlog-cosignature), and whose count

export const KINDS = { 4: "Ed25519", 6: "ML-DSA-44" };
const LENGTHS = { 4: 72, 6: 8 + SIGNATURE_BYTES };

function u64(number) {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, BigInt(number));
  return new Uint8Array(view.buffer);
}

async function cosigns(key, tree, line) {
  need(line.length === LENGTHS[key.kind], `the cosignature of ${key.name} has the wrong length`);
  const [stamp, signature] = [line.subarray(0, 8), line.subarray(8)];
  if (key.kind === 4) {
    const time = new DataView(line.buffer, line.byteOffset).getBigUint64(0);
    const message = joined(bytes(`cosignature/v1\ntime ${time}\n`), tree.signed);
    return signedBy(key, signature, message);
  }
  const [name, origin] = [bytes(key.name), bytes(tree.origin)];
  const message = joined(
    bytes("subtree/v1\n\0"),
    ...[[name.length], name, stamp, [origin.length], origin],
    ...[u64(0), u64(tree.size), tree.root],
  );
  return verifies(key.public, message, signature);
}

// The keys of each witness for a tree of so many entries: the charter's, and what nations have put
// in their place. `appointed` are the statements that say so, with their entries, in their order.
export async function counting(charter, appointed, size) {
  const [named, gone] = [new Map(), new Map()];
  for (const key of await Promise.all(charter.witnesses.map(vkey)))
    named.set(key.name, [...(named.get(key.name) ?? []), key]);
  for (const { index, head, body } of appointed) {
    if (index >= size) break;
    const run = charter.nations.find((nation) => nation.code === head.nation)?.witness;
    need(run, `${head.nation} appoints a witness that it does not run`);
    const [appointer, words] = [raw(body.appointer), [head.mission, head.nation, head.seq]];
    need(hex(await sha(appointer)) === run.appointer, `another key than ${head.nation}'s appoints`);
    const told = [...words, ...body.keys].map((word) => `${word}\n`).join("");
    const message = bytes(`tearline/witness.set\0${told}`);
    need(verifies(appointer, message, raw(body.appointment)), "an appointment is wrong");
    const keys = await Promise.all(body.keys.map(vkey));
    need(
      keys.every((key) => key.name === run.name && !gone.has(String(key.public))),
      `keys that ${head.nation}'s witness cannot have`,
    );
    for (const key of named.get(run.name))
      if (!keys.some((one) => same(one.public, key.public))) gone.set(String(key.public), key);
    named.set(run.name, keys);
  }
  return named;
}

// The witnesses whose every key that counts has cosigned. A wrong or repeated line refuses all.
export async function cosigned(written, named) {
  const [tree, seen] = [note(written), new Set()];
  for (const line of tree.lines) {
    const key = named.get(line.name)?.find((one) => one.id === line.id);
    if (!key) continue;
    need(!seen.has(key), `${key.name} cosigned twice with one key`);
    need(await cosigns(key, tree, line.data), `the cosignature of ${key.name} is wrong`);
    seen.add(key);
  }
  return [...named].filter(([, keys]) => keys.every((key) => seen.has(key))).map(([name]) => name);
}
