// Checks the citizen's access log on her own device, with WebCrypto alone.
// RFC 6962 (tree), C2SP signed-note and tlog-checkpoint (seal). Nothing the server says about correctness is believed:
// only the log's key, and that must stay the one seen at the first check.

const utf8 = new TextEncoder();

class Broken extends Error {
  /** @param {string} reason key of WORDS  @param {number|null} line seq of the pod's line, null: the log as a whole */
  constructor(reason, line = null) {
    super(reason);
    this.reason = reason;
    this.line = line;
  }
}

export const WORDS = {
  edited: "deze regel is veranderd nadat hij geschreven was.",
  missing: "deze regel ontbreekt.",
  moved: "deze regel staat niet op zijn plaats.",
  chain: "deze regel past niet bij de regel ervoor.",
  outside: "deze regel staat niet zo in het groot logboek.",
  shown: "het scherm toont iets anders dan het logboek.",
  lost: "deze regel was er bij je vorige controle, en is nu weg of anders.",
  seal: "Het zegel van het groot logboek is niet echt.",
  key: "De sleutel van het groot logboek is een andere dan bij je vorige controle.",
  shrunk: "Het groot logboek is korter dan bij je vorige controle.",
  rewritten: "Het groot logboek is herschreven sinds je vorige controle.",
};
/** Reasons that rest on what this device remembers. */
const REMEMBERED = new Set(["lost", "key", "shrunk", "rewritten"]);

function fromRaw(text) {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Base64, either alphabet; damaged text gives no bytes, which no comparison below accepts. */
function unb64(text) {
  try {
    return fromRaw(atob(text.replaceAll("-", "+").replaceAll("_", "/")));
  } catch {
    return new Uint8Array(0);
  }
}

/** A record as an object; damaged text gives an empty one, whose seq fits nowhere. */
function parse(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

function join(...parts) {
  let size = 0, at = 0;
  for (const part of parts) size += part.length;
  const whole = new Uint8Array(size);
  for (const part of parts) whole.set(part, at), at += part.length;
  return whole;
}

/** Hashes of a proof, decoded only as far as they are looked at: most lines end after a step or two. */
function* decoded(hashes) {
  for (const hash of hashes) yield unb64(hash);
}

async function sha256(...parts) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", join(...parts)));
}

/** Bytes as a string, one character each: comparable, usable as a Map key. */
const raw = (bytes) => String.fromCharCode(...bytes);
function same(a, b) {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return a.length === b.length;
}
const LEAF = Uint8Array.of(0), NODE = Uint8Array.of(1);
const node = (left, right) => sha256(NODE, left, right);

/** RFC 6962 2.1.1 inclusion. `known` keeps nodes already proven under this root: n lines cost about n hashes. */
export async function included(leaf, index, size, proof, root, known = new Map()) {
  if (index >= size) return false;
  let at = index, last = size - 1, level = 0, here = leaf;
  const path = [];
  for (const sibling of proof) {
    for (; at > 0 && at % 2 === 0 && at === last; level++) at = last = at / 2; // ragged edge: promoted unhashed
    if (last === 0) return false;
    const proven = known.get(at * 64 + level);
    if (proven) return same(proven, here) && keep();
    path.push([level, at, here], [level, at % 2 ? at - 1 : at + 1, sibling]);
    here = at % 2 ? await node(sibling, here) : await node(here, sibling);
    at = Math.floor(at / 2), last = Math.floor(last / 2), level++;
  }
  return last === 0 && same(here, root) && keep();

  function keep() {
    for (const [l, i, hash] of path) known.set(i * 64 + l, hash);
    return true;
  }
}

/** RFC 6962 2.1.2: the tree of `size` begins with the tree of `oldSize`. */
export async function consistent(oldSize, oldRoot, size, root, proof) {
  if (oldSize === size) return same(oldRoot, root);
  if (oldSize === 0) return true;
  const whole = Number.isInteger(Math.log2(oldSize));
  const [first, ...rest] = whole ? [oldRoot, ...proof] : proof;
  if (!first) return false;
  let at = oldSize - 1, last = size - 1, older = first, newer = first;
  const up = () => (at = Math.floor(at / 2), last = Math.floor(last / 2));
  while (at % 2) up();
  for (const hash of rest) {
    if (last === 0) return false;
    if (at % 2 || at === last) {
      older = await node(hash, older), newer = await node(hash, newer);
      while (at > 0 && at % 2 === 0) up();
    } else newer = await node(newer, hash);
    up();
  }
  return last === 0 && same(older, oldRoot) && same(newer, root);
}

/** The checkpoint of a signed note, after its Ed25519 signature verified under `vkey`; throws Broken("seal"). */
export async function openSeal(note, vkey, origin) {
  const [name, id, ...rest] = vkey.split("+");
  const key = unb64(rest.join("+")), split = note.indexOf("\n\n");
  const hash = (await sha256(utf8.encode(`${name}\n`), key)).subarray(0, 4);
  const hex = Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (split < 0 || name !== origin || key[0] !== 1 || key.length !== 33 || hex !== id) throw new Broken("seal");
  const text = note.slice(0, split + 1), start = `— ${name} `;
  const signer = await crypto.subtle.importKey("raw", key.subarray(1), "Ed25519", false, ["verify"]);
  for (const line of note.slice(split + 2).split("\n").filter((line) => line.startsWith(start))) {
    const blob = unb64(line.slice(start.length));
    if (!same(blob.subarray(0, 4), hash)) continue;
    if (!(await crypto.subtle.verify("Ed25519", signer, blob.subarray(4), utf8.encode(text)))) continue;
    const [first, size, root] = text.split("\n");
    if (first !== origin || !/^(0|[1-9]\d*)$/.test(size)) throw new Broken("seal");
    return { size: Number(size), root: unb64(root) };
  }
  throw new Broken("seal");
}

/** One line by itself: its leaf holds what we are shown. */
async function readLine(entry, domain) {
  const leaf = unb64(entry.leaf), record = parse(entry.record), nonce = unb64(entry.nonce);
  const [commitment, hash, next] = await Promise.all([
    sha256(domain, nonce, utf8.encode(entry.record)), sha256(LEAF, leaf), sha256(leaf.subarray(2, 34))]);
  const layout = join(Uint8Array.of(1, entry.kind), commitment, unb64(entry.dpo_commitment));
  const intact = nonce.length === 32 && same(leaf, layout) && record.seq === entry.seq;
  return { seq: entry.seq, shard: entry.shard, index: entry.index, proof: entry.proof, record, commitment, intact, hash, next };
}

/** The part of a verification key that is the same in every half-year of a log. */
const keyOf = (vkey) => vkey.split("+").slice(2).join("+");

/** The seal of every half-year, with what was proven under it; one that just began has no seal yet. */
function openSeals(shards) {
  return Promise.all(shards.map(async ({ checkpoint, vkey, origin, first }, i) => {
    const none = checkpoint === "" && i > 0 && i === shards.length - 1;
    const seal = none ? { size: 0, root: await sha256() } : await openSeal(checkpoint, vkey, origin);
    const end = shards[i + 1]?.first ?? Infinity;
    if (first !== (i && first) || first + seal.size > end || keyOf(vkey) !== keyOf(shards[0].vkey)) throw new Broken("seal");
    return { ...seal, origin, first, end, proven: new Map() };
  }));
}

/**
 * Checks a whole answer of /api/log?proofs=1. `memory`: what an earlier check returned, or null.
 * `fetchProof(origin, old, size)` gives a consistency proof. Returns {ok, checked, waiting, memory} or {ok, reason, line}.
 */
export async function check(log, memory, fetchProof) {
  try {
    const key = keyOf(log.shards.at(-1).vkey);
    if (memory && memory.key !== key) throw new Broken("key");
    const seals = await openSeals(log.shards), domain = utf8.encode(log.pod_domain);
    const lines = await Promise.all(log.entries.map((entry) => readLine(entry, domain)));
    const sealOf = (line) => seals[line.shard] ?? { size: 0, first: NaN };
    const inside = (line, { size, root, proven } = sealOf(line)) =>
      included(line.hash, line.index, size, decoded(line.proof ?? []), root, proven);
    await checkChain(lines, inside);
    checkHead(lines, log.head);
    const sealed = lines.filter((line) => line.index < sealOf(line).size), waiting = lines.slice(sealed.length);
    for (const line of sealed) if (!(await inside(line))) throw new Broken("outside", line.seq);
    // Only the last lines can be newer than their seal, each further on than the one before, where the log has a place.
    const places = lines.map((line) => sealOf(line).first + line.index);
    const astray = lines.find((line, i) => (line.index >= sealOf(line).size && i < sealed.length)
      || places[i] <= places[i - 1] || !(places[i] < Math.min(log.head.kept, sealOf(line).end)));
    if (astray) throw new Broken("outside", astray.seq);
    if (memory) await checkMemory(memory, seals, lines, fetchProof);
    const head = lines.at(-1);
    const seen = { key, seals: seals.map(({ origin, size, root }) => ({ origin, size, root: raw(root) })) };
    const newest = { seq: head?.seq ?? null, head: head && raw(head.commitment) };
    return { ok: true, checked: lines.length, waiting: waiting.length, memory: { ...seen, ...newest } };
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    return { ok: false, reason: error.reason, line: error.line };
  }
}

async function checkChain(lines, inside) {
  for (const [i, line] of lines.entries()) {
    const before = lines[i - 1], due = before ? before.seq + 1 : 1;
    if (!line.intact) throw new Broken("edited", line.seq);
    if (line.seq !== due) throw new Broken(lines.some((other) => other.seq === due) ? "moved" : "missing", due);
    if (!before && (line.record.prev || line.record.action !== "create pod")) throw new Broken("missing", 1);
    if (!before || same(unb64(line.record.prev ?? ""), before.next)) continue;
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

const find = (id) => document.getElementById(id);

async function fetchJson(address) {
  const answer = await fetch(address, { headers: { accept: "application/json" }, cache: "no-store" });
  if (!answer.ok) throw new Error(`Het logboek kwam niet binnen (${answer.status}). Probeer het straks opnieuw.`);
  return answer.json();
}

/** The lines on screen are lines of the log we checked. */
function checkScreen({ entries, shards }) {
  const indexes = new Map(entries.map((entry) => [entry.seq, shards[entry.shard].first + entry.index]));
  const newest = entries.at(-1)?.seq ?? -1;
  const wrong = [...document.querySelectorAll("[data-seq]")].find(
    ({ dataset }) => Number(dataset.seq) <= newest && indexes.get(Number(dataset.seq)) !== Number(dataset.index));
  return wrong ? { ok: false, reason: "shown", line: Number(wrong.dataset.seq) } : null;
}

/** What this device remembers: the seals per log, the newest line per log and person (several may share a device). */
function memoryOf({ origin }) {
  const host = origin.split("/log/")[0];
  const slots = [`kluis-log ${host}`, `kluis-log ${host} ${document.querySelector(".who")?.textContent}`];
  const [seal, line] = slots.map((slot) => JSON.parse(localStorage.getItem(slot)));
  return {
    kept: seal && { ...seal, ...line },
    keep: ({ seq, head, ...newer }) => [newer, { seq, head }].forEach(
      (part, i) => localStorage.setItem(slots[i], JSON.stringify(part))),
    forget: () => slots.forEach((slot) => localStorage.removeItem(slot)),
  };
}

function show(verdict, memory) {
  const box = find(verdict.ok ? "log-ok" : "log-broken"), say = box.querySelector("[data-say]");
  const later = verdict.waiting ? ` Nog niet verzegeld: ${verdict.waiting}. Dat duurt enkele seconden.` : "";
  const where = verdict.line === null ? "" : `Regel ${verdict.line}: `;
  const counted = `${verdict.checked} ${verdict.checked === 1 ? "regel" : "regels"}`;
  say.textContent = verdict.ok
    ? `Dit toestel controleerde ${counted}. Er is niets gewist en niets veranderd.${later}`
    : where + WORDS[verdict.reason];
  box.hidden = false;
  if (verdict.ok) return memory.keep(verdict.memory);
  const line = verdict.line === null ? null : find(`line-${verdict.line}`);
  line?.classList.add("broken");
  const forget = find("log-forget");
  forget.hidden = !REMEMBERED.has(verdict.reason);
  forget.onclick = () => (memory.forget(), run());
}

async function run() {
  const status = find("log-status");
  for (const id of ["log-ok", "log-broken", "log-by"]) find(id)?.setAttribute("hidden", "");
  for (const line of document.querySelectorAll(".broken")) line.classList.remove("broken");
  status.hidden = false;
  status.textContent = "Je toestel rekent alles na…";
  try {
    const log = await fetchJson("/api/log?proofs=1");
    const memory = memoryOf(log.shards[0]);
    const fetchProof = async (origin, old, size) =>
      (await fetchJson(`/log/${origin.split("/log/")[1]}/consistency?old=${old}&new=${size}`)).proof;
    const verdict = await check(log, memory.kept, fetchProof);
    show((verdict.ok && checkScreen(log)) || verdict, memory);
    status.hidden = true;
  } catch (error) {
    const unable = error.name === "NotSupportedError" || !globalThis.crypto?.subtle;
    const advice = "Deze browser kan het zegel niet nakijken. Gebruik een nieuwere browser.";
    status.textContent = unable ? advice : error.message;
  }
}

const button = globalThis.document?.getElementById("verify-log");
if (button) {
  button.textContent = "Controleer op dit toestel";
  button.form.addEventListener("submit", (event) => (event.preventDefault(), run()));
}
