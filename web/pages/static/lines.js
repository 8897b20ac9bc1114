// What is true of each line of the log by itself: fetched, read and hashed, a part of the log at a time. No part needs to
// know of another, so readers beside the page (reader.js) can do this too.

import { Inputs, LEAF, hashed, join, same, unb64, utf8 } from "./tree.js";

const PRIVATE = Uint8Array.of(1, 0);
const POD = utf8.encode("kluis/pod-record/v2");
const APP = utf8.encode("kluis/pod-record-app/v1"), OWN = utf8.encode("kluis/pod-record-own/v1");

/** An object; damaged text gives an empty one. */
export function json(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

/** A record as an object; damaged text gives an empty one, whose seq fits nowhere. */
function parse(text) {
  const { app, own } = json(text);
  return { app: app ?? {}, own: own ?? {} };
}

/**
 * A part of the log: its leaves hold what we are shown, the parts that apps may prove and the rest. A bare line has no
 * leaf of its own: it is made up here. Each part of a record is written again before it is hashed: it is the text that
 * was hashed then, for that had only one form (RFC 8785).
 *
 * Returns {lines, bytes, begins}: per line what it says of its place, whether it is `intact`, and whether it is `gone`
 * (has no record) with a `whole` leaf; per line 128 bytes: hash of the leaf, hash of the commitment, commitment, and
 * the previous one's hash as the record tells it; and some of the first record.
 */
export async function readLines(entries) {
  const nonces = entries.map((entry) => unb64(entry.nonce ?? "")), parts = entries.map((entry) => parse(entry.record));
  const [app, rest, pod, stem, bare] = [[APP], [OWN], [POD], [LEAF], []].map((start) => new Inputs(...start));
  const salted = parts.map((part, i) => app.salted(nonces[i].subarray(0, 32), JSON.stringify(part.app)));
  const blinded = parts.map((part, i) => rest.salted(nonces[i].subarray(32), JSON.stringify(part.own)));
  const [seen, own] = [await hashed(salted), await hashed(blinded)];
  const commitments = await hashed(seen.map((hash, i) => pod.put(hash, 0).put(own[i], 32).hash(64)));
  const made = entries.map((entry, i) => join(PRIVATE, commitments[i], unb64(entry.dpo_commitment)));
  const leaves = entries.map((entry, i) => (entry.leaf === undefined ? made[i] : unb64(entry.leaf)));
  const held = leaves.map((leaf) => leaf.subarray(2, 34));
  const sealed = leaves.map((leaf) => stem.fit(leaf.length).put(leaf, 0).hash(leaf.length));
  const chained = held.map((commitment) => bare.put(commitment, 0).hash(commitment.length));
  const [hashes, nexts] = [await hashed(sealed), await hashed(chained)];
  const bytes = new Uint8Array(128 * entries.length), records = parts.map((part) => ({ ...part.app, ...part.own }));
  const lines = entries.map(({ seq, index, shard, proof, record }, i) => {
    const gone = record === null, told = unb64(records[i].prev ?? ""), at = 128 * i;
    bytes.set(hashes[i], at), bytes.set(nexts[i], at + 32), bytes.set(gone ? held[i] : commitments[i], at + 64);
    bytes.set(told.subarray(0, 32), at + 96);
    const intact = nonces[i].length === 64 && same(leaves[i], made[i]) && records[i].seq === seq;
    return { seq, index, shard, proof, intact, gone, whole: leaves[i].length === 66, linked: told.length === 32 };
  });
  const { prev, action, slot, time } = records[0] ?? {};
  return { lines, bytes, begins: { prev, action, slot, time } };
}

/** What the server says at an address; an error says in words that it did not. */
export async function fetchJson(address) {
  const answer = await fetch(address, { headers: { accept: "application/json" }, cache: "no-store" });
  if (!answer.ok) throw new Error(`Het logboek kwam niet binnen (${answer.status}). Probeer het straks opnieuw.`);
  return answer.json();
}

/** A part of the log read where it is fetched; `kept` are its lines with a number in the set `wanted`, and its last one. */
export async function readPart(address, wanted) {
  const { entries } = await fetchJson(address);
  return { ...(await readLines(entries)), kept: entries.filter(({ seq }, i) => wanted.has(seq) || i === entries.length - 1) };
}
