// The proof of one entry, checked in this browser with WebCrypto. Written from docs/protocol.md; the
// numbers in comments are its sections. Whoever serves the page cannot make a false entry pass
// without the log's key: what is shown below the verdict is read from the bytes that were proven.
//
// JSON.parse is enough here: what is parsed was committed to, and passed the strict gate (1) when it
// was pulled. Nothing is decided by what two parsers could read differently.

export class Disagrees extends Error {}

function need(holds, why) {
  if (!holds) throw new Disagrees(why);
}

const text = (bytes) => new TextDecoder("utf-8", { fatal: true }).decode(bytes);
const bytes = (string) => new TextEncoder().encode(string);
export const hex = (data) => Array.from(data, (b) => b.toString(16).padStart(2, "0")).join("");
const same = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);

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

function joined(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
  return whole;
}

const sha = async (...parts) =>
  new Uint8Array(await crypto.subtle.digest("SHA-256", joined(...parts)));

async function committed(name, opening, message) {
  const key = await crypto.subtle.importKey(
    "raw",
    bytes(name),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["sign"],
  );
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, joined(raw(opening, 32), message)));
}

// -- 15: the tree

const [LEAF, NODE] = [new Uint8Array([0]), new Uint8Array([1])];
// Indexes may be larger than 32 bits, so bits are taken by division.
const odd = (n) => n % 2 === 1;
const half = (n) => Math.floor(n / 2);

export async function included(index, size, leaf, proof, root) {
  need(
    Number.isSafeInteger(index) && index >= 0 && index < size,
    `index ${index} is not in a tree of ${size}`,
  );
  let [at, last, top] = [index, size - 1, await sha(LEAF, leaf)];
  for (const one of proof) {
    const node = raw(one, 32);
    need(last > 0, "the path is too long");
    if (odd(at) || at === last) {
      top = await sha(NODE, node, top);
      while (!odd(at) && at > 0) [at, last] = [half(at), half(last)];
    } else top = await sha(NODE, top, node);
    [at, last] = [half(at), half(last)];
  }
  need(last === 0 && same(top, root), "the path from the entry does not lead to the signed root");
}

// -- 15: keys and checkpoints

async function vkey(written) {
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

// -- 26: cosignatures with Ed25519; those with ML-DSA-44 no browser can check yet

export async function cosignatures(written, witnesses) {
  const tree = note(written);
  const [right, skipped] = [new Set(), new Set()];
  for (const line of tree.lines) {
    const key = witnesses.find((one) => one.name === line.name && one.id === line.id);
    if (!key) continue;
    if (key.kind !== 4) {
      skipped.add(key.name);
      continue;
    }
    const time = new DataView(line.data.buffer, line.data.byteOffset).getBigUint64(0);
    const message = joined(bytes(`cosignature/v1\ntime ${time}\n`), tree.signed);
    need(
      await signedBy(key, line.data.subarray(8), message),
      `the cosignature of ${key.name} is wrong`,
    );
    right.add(key.name);
  }
  return { tree, names: [...right].sort(), skipped: [...skipped].sort() };
}

// -- 11 and 14: statements, links and views

export async function said(statement, named, otherwise) {
  const head = raw(statement.head);
  need(hex(await sha(head)) === named, otherwise);
  need(hex(head.subarray(0, 6)) === "544c53540200", "not a statement");
  const told = JSON.parse(text(head.subarray(10)));
  let body = null;
  if (statement.body !== null) {
    const data = raw(statement.body);
    need(
      hex(await sha(bytes("tearline/statement-body\0"), data)) === told.body,
      "the body is not the one that was signed",
    );
    body = JSON.parse(text(data));
  }
  return { identity: named, head: told, body };
}

async function opened(evidence, channel) {
  const leaf = raw(evidence.leaf);
  need(
    leaf.length > 2 && leaf[0] === 1 && leaf.length === 2 + 32 * leaf[1],
    "the leaf is not an entry",
  );
  need(evidence.slot >= 0 && evidence.slot < leaf[1], "the leaf has no such commitment");
  const commitment = leaf.subarray(2 + 32 * evidence.slot, 34 + 32 * evidence.slot);
  const message = raw(evidence.link);
  need(
    same(await committed("tearline/link/v1", evidence.opening, message), commitment),
    "the link is not what the leaf commits to",
  );
  const link = JSON.parse(text(message));
  const place =
    link.channel === channel && link.index === evidence.index && link.slot === evidence.slot;
  need(place, `the link belongs to ${link.channel}, index ${link.index}, slot ${link.slot}`);
  return { link, slots: leaf[1], commitment: hex(commitment) };
}

async function view(evidence, link) {
  need(
    (evidence.view === null) === (evidence.view_opening === null),
    "a view without its opening, or the reverse",
  );
  if (evidence.view === null) return null;
  const message = raw(evidence.view);
  const hidden = hex(await committed("tearline/view/v1", evidence.view_opening, message));
  need(hidden === link.view, "the view is not what the link commits to");
  return JSON.parse(text(message));
}

// What the questions and pictures know of an entry must be what its proven bytes say.
function agrees(facts, link, says) {
  const told = {
    count: link.count,
    time: link.time,
    type: link.type,
    erased: says === null ? 1 : 0,
    report: says?.report,
    recipient: says?.to,
    actor: says?.reader || says?.signer,
    slug: says?.slug,
    accepted: says?.accepted,
    statement: says?.statement,
    author: link.type === "statement" ? says?.nation : null,
    spoke: link.type === "statement" ? says?.type : null,
    originator: ["report.accepted", "report.refused"].includes(link.type)
      ? link.channel
      : says?.originator,
  };
  for (const [name, value] of Object.entries(told))
    need(
      (facts[name] ?? null) === (value ?? null),
      `the index says ${name} ${JSON.stringify(facts[name] ?? null)}, the proven entry says ${JSON.stringify(value ?? null)}`,
    );
}

// -- all of it, step by step

export const STEPS = {
  charter: "The mission's charter is the pinned one",
  checkpoint: "The log signed the tree",
  path: "The entry stands in that tree",
  link: "It belongs to this channel and place",
  view: "It says what is shown",
  index: "The index of this evidence agrees",
  cosigned: "Witnesses stand behind it",
};

// Gives each step as {name, state: "good" | "bad" | "skip", words}, and what was proven. The first
// thing that disagrees ends it: what rests on it was not checked.
export async function prove(told, shown) {
  const [steps, found] = [[], { view: undefined, link: null, charter: null, said: null }];
  const run = async (name, work) => steps.push({ name, state: "good", words: await work() });
  try {
    await run("charter", async () => {
      need(told.charter, "the charter is not in the evidence");
      // After a loss, what continued the log is pinned: it names the charter and the log's new keys.
      const later =
        told.continued &&
        (await said(told.continued, told.pinned, "the log was not continued by what was pinned"));
      found.charter = await said(
        told.charter,
        later ? later.body.charter : told.pinned,
        "the charter is not the one that was pinned",
      );
      found.keys = await Promise.all((later || found.charter).body.log_keys.map(vkey));
      return later ? `SHA-256 ${told.pinned}, which continued its log` : `SHA-256 ${told.pinned}`;
    });
    await run("checkpoint", async () => {
      found.tree = await checkpoint(shown.checkpoint, found.keys);
      need(
        found.tree.size === shown.tree,
        `the index says a tree of ${shown.tree}, the log signed one of ${found.tree.size}`,
      );
      return `${found.tree.size} entries, root ${hex(found.tree.root)}; Ed25519, key ${found.keys[0].id} of the charter`;
    });
    await run("path", async () => {
      const { index, leaf, proof } = shown.evidence;
      need(index === told.index, `the evidence is that of entry ${index}`);
      await included(index, found.tree.size, raw(leaf), proof, found.tree.root);
      return `leaf ${hex(await sha(LEAF, raw(leaf))).slice(0, 16)}… and ${proof.length} hashes lead to the root`;
    });
    await run("link", async () => {
      Object.assign(found, await opened(shown.evidence, shown.channel));
      return `number ${found.link.count} of ${shown.channel}; its leaf has ${found.slots === 1 ? "one place" : `${found.slots} places`}; follows index ${found.link.prev_index}`;
    });
    await run("view", async () => {
      found.view = await view(shown.evidence, found.link);
      return found.view === null
        ? "it was erased; all other proofs hold"
        : `HMAC-SHA-256 ${found.link.view.slice(0, 16)}…`;
    });
    await run("index", async () => {
      agrees(shown.facts, found.link, found.view);
      if (shown.said)
        found.said = await said(
          shown.said,
          found.view.statement,
          "the statement shown is not the one that the entry names",
        );
      return "questions and pictures say of it what its proven bytes say";
    });
    steps.push(await standing(told, found));
  } catch (error) {
    const name = Object.keys(STEPS)[steps.length];
    steps.push({
      name,
      state: "bad",
      words: error instanceof Disagrees ? error.message : `cannot be read: ${error.message}`,
    });
  }
  for (const name of Object.keys(STEPS).slice(steps.length))
    steps.push({ name, state: "skip", words: "not reached" });
  return { steps, found, good: steps.every((step) => step.state !== "bad") };
}

async function standing(told, found) {
  const step = (state, words) => ({ name: "cosigned", state, words });
  const { witnesses, witness_quorum: quorum } = found.charter.body;
  if (!quorum) return step("skip", "the mission's charter asks for no witnesses");
  if (!told.confirmed) return step("skip", `no quorum has cosigned yet; ${quorum} are needed`);
  const { tree, names, skipped } = await cosignatures(
    told.confirmed,
    await Promise.all(witnesses.map(vkey)),
  );
  await checkpoint(told.confirmed, found.keys);
  if (tree.size === found.tree.size)
    need(same(tree.root, found.tree.root), "witnesses cosigned another tree of this size");
  if (names.length < quorum)
    return step(
      "skip",
      `${names.length} Ed25519 cosignatures hold here, ${quorum} are needed; the command line has checked the others`,
    );
  if (tree.size <= told.index)
    return step(
      "skip",
      `${names.length} witnesses cosigned ${tree.size} entries; this one is newer`,
    );
  const rest = skipped.length ? "; their ML-DSA-44 lines are for the command line" : "";
  return step(
    "good",
    `${names.length} of ${new Set(witnesses.map((w) => w.split("+")[0])).size} cosigned ${tree.size} entries, ${quorum} are needed${rest}`,
  );
}
