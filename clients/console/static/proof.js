// The proof of one entry, checked in this browser with WebCrypto. Written from docs/protocol.md; the
// numbers in comments are its sections. Whoever serves the page cannot make a false entry pass
// without the log's key: what is shown below the verdict is read from the bytes that were proven.
//
// JSON.parse is enough here: what is parsed was committed to, and passed the strict gate (1) when it
// was pulled. Nothing is decided by what two parsers could read differently.

import { KINDS, checkpoint, cosigned, counting, vkey } from "./notes.js";
import { Disagrees, bytes, hex, joined, need, raw, same, sha, text } from "./notes.js";

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

// The larger tree starts with the smaller one (RFC 9162, 2.1.4.2).
export async function extended([old, oldRoot], [size, root], proof) {
  if (old === size) return need(proof.length === 0 && same(oldRoot, root), "two trees of one size");
  let [at, last] = [old - 1, size - 1];
  while (odd(at)) [at, last] = [half(at), half(last)];
  const path = proof.map((one) => raw(one, 32));
  if (at === 0) path.unshift(oldRoot);
  need(old > 0 && path.length > 0, "no proof that one tree starts with the other");
  let [left, right] = [path[0], path[0]];
  for (const node of path.slice(1)) {
    need(last > 0, "the proof between the trees is too long");
    if (odd(at) || at === last) {
      [left, right] = [await sha(NODE, node, left), await sha(NODE, node, right)];
      while (!odd(at) && at > 0) [at, last] = [half(at), half(last)];
    } else right = await sha(NODE, right, node);
    [at, last] = [half(at), half(last)];
  }
  need(last === 0 && same(left, oldRoot) && same(right, root), "the trees are not of one history");
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
    steps.push(await standing(told, shown, found));
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

// Statements that give a witness other keys, each proven to stand in the mission's channel.
async function appointments(told, keys) {
  const found = [];
  for (const one of told.appointed) {
    const tree = await checkpoint(one.checkpoint, keys);
    const { index, leaf, proof } = one.evidence;
    await included(index, tree.size, raw(leaf), proof, tree.root);
    const says = await view(one.evidence, (await opened(one.evidence, "MISSION")).link);
    const { head, body } = await said(one.said, says?.statement, "not what the entry names");
    need(head.type === "witness.set" && body, "not a statement about a witness");
    need(index > (found.at(-1)?.index ?? -1), "statements about witnesses out of order");
    found.push({ index, head, body });
  }
  return found;
}

async function standing(told, shown, found) {
  const step = (state, words) => ({ name: "cosigned", state, words });
  const quorum = found.charter.body.witness_quorum;
  if (!quorum) return step("skip", "the mission's charter asks for no witnesses");
  if (!shown.confirmed) return step("skip", `no quorum has cosigned yet; ${quorum} are needed`);
  const { checkpoint: written, consistency } = shown.confirmed;
  const tree = await checkpoint(written, found.keys);
  const ends = [tree, found.tree].sort((a, b) => a.size - b.size).map((t) => [t.size, t.root]);
  await extended(...ends, consistency);
  const appointed = await appointments(shown, found.keys);
  const named = await counting(found.charter.body, appointed, tree.size);
  const names = await cosigned(written, named);
  if (names.length < quorum)
    return step(
      "bad",
      `cosigned by ${names.length} witnesses by keys that count for it, ${quorum} are needed`,
    );
  if (tree.size <= told.index)
    return step(
      "skip",
      `${names.length} witnesses cosigned ${tree.size} entries; this one is newer`,
    );
  const kinds = new Set(names.flatMap((name) => named.get(name).map((key) => KINDS[key.kind])));
  return step(
    "good",
    `${names.length} of ${named.size} cosigned ${tree.size} entries, ${quorum} are needed; ${[...kinds].sort().join(" and ")}`,
  );
}
