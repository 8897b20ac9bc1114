// Checks the citizen's access log on her own device, with WebCrypto alone.
// Nothing the server says about correctness is believed: only the log's key, and that must stay the one seen at the first
// check. What is true of every line is worked out for all of them at once; a line that fails is then looked for one by one.

import { checkSlots, someEpochs } from "./slots.js";
import { fetchJson, json, readLines } from "./lines.js";
import { readers } from "./readers.js";
import { Broken, LEAF, consistent, decoded, fromRaw, included, openSeal, raw, same, sha256, together, unb64, utf8 } from "./tree.js";
import { checkScreen, show, status } from "./shown.js";

export { consistent, included, openSeal } from "./tree.js";

const PAGE = 1_250, LANES = 4, MOST_PAGES = 8_000;

/** Read lines with where they lie: under which seal, and whether the log says that it keeps them no longer. */
const placed = ({ lines, bytes, begins }, seals, before) => lines.map((line, i) => {
  const seal = seals[line.shard] ?? { size: 0, first: NaN }, place = seal.first + line.index;
  const [hash, next, commitment, prev] = [0, 32, 64, 96].map((at) => bytes.subarray(128 * i + at, 128 * i + at + 32));
  // A line whose month is over: nobody can read it any more, its fingerprint stays in the chain and in the tree.
  const ended = line.gone && place < before, intact = ended ? line.whole : line.intact, sealed = line.index < seal.size;
  return { ...line, seal, place, sealed, hash, next, commitment, prev, ended, intact, record: i || ended ? {} : begins };
});

/** The part of a verification key that is the same in every half-year of a log. */
const keyOf = (vkey) => vkey.split("+").slice(2).join("+");

const statement = (leaf) => json(new TextDecoder().decode(unb64(leaf).subarray(2)));

/** The log's keys in their order: its first, and each one that the one before it certified. */
async function keysOf({ shards, hands = [] }) {
  const host = shards[0].origin.split("/log/")[0], only = unb64(keyOf(shards[0].vkey)).subarray(1);
  const keys = [raw(hands.length ? unb64(statement(hands[0].leaf).from ?? "") : only)];
  for (const { signature = "", ...hand } of hands.map(({ leaf }) => statement(leaf))) {
    const told = JSON.stringify(Object.fromEntries(Object.entries(hand).sort(([a], [b]) => (a < b ? -1 : 1))));
    if (hand.type !== "kluis/log-key/v1" || hand.host !== host || raw(unb64(hand.from)) !== keys.at(-1)) continue;
    const signer = await crypto.subtle.importKey("raw", unb64(hand.from), "Ed25519", false, ["verify"]);
    if (await crypto.subtle.verify("Ed25519", signer, unb64(signature), utf8.encode(told))) keys.push(raw(unb64(hand.to)));
  }
  return keys;
}

/** Every certificate stands in the log itself, under a seal. */
async function checkHands({ hands = [] }, seals) {
  for (const one of hands) {
    const leaf = unb64(one.leaf);
    if (leaf[1] !== 2 || !(await sealedAt(leaf, one, seals))) throw new Broken("key");
  }
}

/** Whether an entry stands under the seal of the half-year that is named with its proof. */
async function sealedAt(leaf, { shard, index, proof }, seals) {
  const seal = seals[shard];
  return Boolean(seal) && included(await sha256(LEAF, leaf), index, seal.size, decoded(proof), seal.root, seal.proven);
}

/** The seal of every half-year, with what was proven under it; one that just began has no seal yet. */
function openSeals(shards) {
  return Promise.all(shards.map(async ({ checkpoint, vkey, origin, first, steps }, i) => {
    const none = checkpoint === "" && i > 0 && i === shards.length - 1;
    const seal = none ? { size: 0, root: await sha256() } : await openSeal(checkpoint, vkey, origin);
    const end = shards[i + 1]?.first ?? Infinity;
    if (first !== (i && first) || first + seal.size > end) throw new Broken("seal");
    return { ...seal, origin, first, end, steps, proven: new Map() };
  }));
}

/** Before which place lines may have ended: as the log itself says, in a statement under the seal. */
async function endedBefore(told, seals) {
  if (!told) return 0;
  const leaf = unb64(told.leaf), said = json(new TextDecoder().decode(leaf.subarray(2)));
  if (!(leaf[1] === 2 && said.type === "kluis/log-retention/v1" && (await sealedAt(leaf, told, seals)))) throw new Broken("outside");
  return said.before;
}

/**
 * Checks all lines of a log: `log` is an answer of /api/log/check with `entries`, those of /api/log/lines or promises of
 * parts of them, read (lines.js) or not, or it is one of /api/log?proofs=1, which has a proof for each line and so can name the one that fails.
 * `memory`: what an earlier check returned, or null. `fetchProof(origin, old, size)` gives a consistency proof.
 * `now`: milliseconds. Returns {ok, checked, withheld, ended, waiting, summaries, memory} or {ok, reason, line}.
 */
export async function check(log, memory, fetchProof, now) {
  try {
    const keys = await keysOf(log), key = keys.at(-1), known = memory ? keys.indexOf(memory.key) : 0;
    const signed = log.shards.filter(({ checkpoint }) => checkpoint);
    const used = signed.map(({ vkey }) => keys.indexOf(raw(unb64(keyOf(vkey)).subarray(1))));
    // Whoever handed over signs no more: the newest seal is the last key's, and none goes back to an earlier one.
    const astray = known < 0 || used.at(-1) !== keys.length - 1 || used.some((at, i) => at < (used[i - 1] ?? 0));
    if (astray) throw new Broken("key");
    const seals = await openSeals(log.shards);
    await checkHands(log, seals);
    const parts = log.entries[0]?.then ? log.entries : [log.entries];
    const before = await endedBefore(log.ended, seals);
    const read = await Promise.all(parts.map(async (part) => ((part = await part).bytes ? part : readLines(part))));
    const lines = read.flatMap((part) => placed(part, seals, before));
    await checkChain(lines);
    checkHead(lines, log.head);
    await checkPlaces(lines, seals, log.head.kept);
    if (memory) await checkMemory(memory, seals, lines, fetchProof);
    const { summaries, ...pinned } = await checkSlots(log.slots, lines, seals, memory, now);
    const last = lines.at(-1), waiting = lines.filter((line) => !line.sealed).length;
    const seen = { key, seals: seals.map(({ origin, size, root }) => ({ origin, size, root: raw(root) })) };
    const newest = { seq: last.seq, head: raw(last.commitment), ...pinned };
    const ended = lines.filter((line) => line.ended).length;
    // What the chain and the newest summary count, against the lines that came: proven above, and told as a number.
    const withheld = Math.max(log.head.seq, log.slots[0]?.count ?? 0) - lines.length;
    return { ok: true, checked: lines.length, withheld, ended, waiting, summaries, memory: { ...seen, ...newest } };
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    return { ok: false, reason: error.reason, line: error.line };
  }
}

const inside = ({ hash, index, proof, seal: { size, root, proven } }) =>
  included(hash, index, size, decoded(proof ?? []), root, proven);

async function checkChain(lines) {
  for (const [i, line] of lines.entries()) {
    const before = lines[i - 1], due = before ? before.seq + 1 : 1;
    if (!line.intact) throw new Broken("edited", line.seq);
    if (line.seq !== due) throw new Broken(lines.some((other) => other.seq === due) ? "moved" : "missing", due);
    if (line.ended) continue;
    if (!before && (line.record.prev || line.record.action !== "create pod")) throw new Broken("missing", 1);
    if (!before || (line.linked && same(line.prev, before.next))) continue;
    // One of the two was written again: the one that the tree does not hold.
    throw (await inside(before)) ? new Broken("chain", line.seq) : new Broken("edited", before.seq);
  }
}

/** The pod's head is kept apart from its lines: nothing was cut off at the end, and not everything. */
function checkHead(lines, head) {
  const last = lines.at(-1), seq = last?.seq ?? 0;
  if (head.seq > seq || !last) throw new Broken("missing", seq + 1);
  if (head.seq < seq || !same(unb64(head.head), last.next)) throw new Broken("chain", seq);
}

/** Every line but the newest few is under its seal, each further on than the one before, where the log has a place. */
async function checkPlaces(lines, seals, kept) {
  for (const seal of seals) {
    const mine = lines.filter((line) => line.seal === seal && line.sealed);
    if (seal.steps === undefined) {
      for (const line of mine) if (!(await inside(line))) throw new Broken("outside", line.seq);
    } else if (mine.length && !same(await together(mine, seal.size, unb64(seal.steps)), seal.root)) throw new Broken("outside");
  }
  const count = lines.filter((line) => line.sealed).length;
  const astray = lines.find(({ sealed, place, seal }, i) => (!sealed && i < count)
    || !Number.isSafeInteger(place) || place <= lines[i - 1]?.place || !(place < Math.min(kept, seal.end)));
  if (astray) throw new Broken("outside", astray.seq);
}

async function checkMemory(memory, seals, lines, fetchProof) {
  for (const { origin, size: old, root } of memory.seals) {
    const seal = seals.find((one) => one.origin === origin);
    if (!seal || seal.size < old) throw new Broken("shrunk");
    const proof = seal.size > old && old > 0 ? await fetchProof(origin, old, seal.size) : [];
    const grown = await consistent(old, fromRaw(root), seal.size, seal.root, proof.map(unb64));
    if (!grown) throw new Broken("rewritten");
  }
  if (memory.seq === undefined || memory.seq === null) return;
  const head = lines.find((line) => line.seq === memory.seq);
  if (!head || raw(head.commitment) !== memory.head) throw new Broken("lost", memory.seq);
}

// ---- the page ----

/** The whole log without a proof for each line; its lines come in parts, read while the next ones are on their way. */
async function fetchLog(now, read) {
  const log = await fetchJson(`/api/log/check?${someEpochs(now).map((epoch) => `epoch=${epoch}`).join("&")}`);
  const pages = Math.min(Math.ceil(log.head.seq / PAGE), MOST_PAGES), end = log.head.seq + 1, entries = [];
  for (let i = 0; i < pages; i++) {
    const address = `/api/log/lines?since=${1 + i * PAGE}&below=${Math.min(1 + (i + 1) * PAGE, end)}`;
    entries.push(Promise.resolve(entries[i - LANES]).then(() => read(address)));
  }
  return { ...log, entries };
}

/** What this device remembers: the seals per log, the newest line per log and person (several may share a device). */
function memoryOf({ origin }) {
  const host = origin.split("/log/")[0];
  const places = [`kluis-log ${host}`, `kluis-log ${host} ${document.querySelector(".who")?.textContent}`];
  const [seals, line] = places.map((place) => JSON.parse(localStorage.getItem(place)));
  return {
    kept: seals && { ...seals, ...line },
    keep: ({ key, seals: seen, ...newest }) => [{ key, seals: seen }, newest].forEach(
      (part, i) => localStorage.setItem(places[i], JSON.stringify(part))),
    forget: () => places.forEach((place) => localStorage.removeItem(place)),
  };
}

async function run() {
  status("Je toestel rekent alles na…");
  const read = readers(new Set([...document.querySelectorAll("[data-seq]")].map((line) => Number(line.dataset.seq))));
  try {
    const now = Date.now(), log = await fetchLog(now, read), memory = memoryOf(log.shards[0]);
    const fetchProof = async (origin, old, size) =>
      (await fetchJson(`/log/${origin.split("/log/")[1]}/consistency?old=${old}&new=${size}`)).proof;
    let verdict = await check(log, memory.kept, fetchProof, now);
    if (!verdict.ok) {
      const closer = await check(await fetchJson("/api/log?proofs=1"), memory.kept, fetchProof, now);
      if (!closer.ok) verdict = closer;
    }
    const entries = (await Promise.all(log.entries)).flatMap((part) => part.kept);
    show((verdict.ok && checkScreen({ ...log, entries })) || verdict, () => (memory.forget(), run()));
    if (verdict.ok) memory.keep(verdict.memory);
  } catch (error) {
    const unable = error.name === "NotSupportedError" || !globalThis.crypto?.subtle;
    status(unable ? "Deze browser kan het zegel niet nakijken. Gebruik een nieuwere browser." : error.message);
  }
}

const button = globalThis.document?.getElementById("verify-log");
if (button) {
  button.textContent = "Controleer op dit toestel";
  button.form.addEventListener("submit", (event) => (event.preventDefault(), run()));
}
