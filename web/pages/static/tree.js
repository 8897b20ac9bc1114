// Merkle trees and seals, with WebCrypto alone: RFC 6962 (tree), C2SP signed-note and tlog-checkpoint (seal).

export const utf8 = new TextEncoder();

export class Broken extends Error {
  /** @param {string} reason key of WORDS  @param {number|null} line seq of the pod's line, null: the log as a whole */
  constructor(reason, line = null) {
    super(reason);
    this.reason = reason;
    this.line = line;
  }
}

export function fromRaw(text) {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

const URL_SAFE = { alphabet: "base64url" };

/** Base64, either alphabet; damaged text gives no bytes, which no comparison below accepts. */
export function unb64(text) {
  try {
    if (Uint8Array.fromBase64 && !/[+/]/.test(text)) return Uint8Array.fromBase64(text, URL_SAFE);
    return fromRaw(atob(text.replaceAll("-", "+").replaceAll("_", "/")));
  } catch {
    return new Uint8Array(0);
  }
}

export function join(...parts) {
  let size = 0, at = 0;
  for (const part of parts) size += part.length;
  const whole = new Uint8Array(size);
  for (const part of parts) whole.set(part, at), at += part.length;
  return whole;
}

/** Hashes of a proof, decoded only as far as they are looked at: most lines end after a step or two. */
export function* decoded(hashes) {
  for (const hash of hashes) yield unb64(hash);
}

const bytes = (buffer) => new Uint8Array(buffer);
export const sha256 = (...parts) => crypto.subtle.digest("SHA-256", parts.length === 1 ? parts[0] : join(...parts)).then(bytes);

/**
 * Hashes thousands of inputs that begin alike without new memory for each: they are written into the same bytes, of which
 * `digest` has a copy before it returns. Answers promises of buffers, for `Promise.all`.
 */
export class Inputs {
  constructor(...start) {
    this.start = join(...start);
    this.grow(512);
  }

  grow(size) {
    this.bytes = join(this.start, new Uint8Array(size)), this.views = [];
  }

  /** Makes room for so many bytes after the start. */
  fit(size) {
    if (this.start.length + size > this.bytes.length) this.grow(2 * size);
    return this;
  }

  put(bytes, at) {
    this.bytes.set(bytes, this.start.length + at);
    return this;
  }

  /** The first `size` bytes after the start. */
  hash(size) {
    const view = (this.views[size] ??= this.bytes.subarray(0, this.start.length + size));
    return crypto.subtle.digest("SHA-256", view);
  }

  /** A nonce and a text after it. */
  salted(nonce, text) {
    this.fit(nonce.length + 3 * text.length).put(nonce, 0);
    const { written } = utf8.encodeInto(text, this.bytes.subarray(this.start.length + nonce.length));
    return this.hash(nonce.length + written);
  }
}

/** All hashes of what WebCrypto promised. */
export const hashed = async (promises) => (await Promise.all(promises)).map(bytes);

/** Bytes as a string, one character each: comparable, usable as a Map key. */
export const raw = (bytes) => String.fromCharCode(...bytes);
export function same(a, b) {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return a.length === b.length;
}
export const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);
const node = (left, right) => sha256(NODE, left, right);

/** RFC 6962 2.1.1 inclusion. `known` keeps nodes already proven under this root: n lines cost about n hashes. */
export async function included(leaf, index, size, proof, root, known = new Map()) {
  if (!(index >= 0 && index < size)) return false;
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

/** The largest power of two below n. */
function half(n) {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

/**
 * The root of the tree of `size` that holds these leaves ({index, hash}, rising); `steps` are the hashes of the largest
 * subtrees without one of them, from the left. Level by level, so that WebCrypto gets thousands of hashes at a time.
 * No root (no bytes) if a step is left over or missing.
 */
export async function together(leaves, size, steps) {
  const levels = [];
  let next = 0;
  const plan = (first, last, begin, end) => {
    if (first === last) return { hash: steps.subarray(32 * next, 32 * ++next), level: 0 };
    if (end - begin === 1) return { hash: leaves[first].hash, level: 0 };
    const middle = begin + half(end - begin);
    let cut = first, beyond = last;
    while (cut < beyond) {
      const at = (cut + beyond) >> 1;
      if (leaves[at].index < middle) cut = at + 1; else beyond = at;
    }
    const left = plan(first, cut, begin, middle), right = plan(cut, last, middle, end);
    const here = { left, right, level: 1 + Math.max(left.level, right.level) };
    (levels[here.level] ??= []).push(here);
    return here;
  };
  const apart = leaves.every(({ index }, i) => Number.isSafeInteger(index) && index >= 0 && index < (leaves[i + 1]?.index ?? size));
  const top = leaves.length && apart ? plan(0, leaves.length, 0, size) : { hash: new Uint8Array(0) };
  const inputs = new Inputs(NODE);
  for (const level of levels.slice(1)) {
    const hashes = await hashed(level.map(({ left, right }) => inputs.put(left.hash, 0).put(right.hash, 32).hash(64)));
    level.forEach((here, i) => (here.hash = hashes[i]));
  }
  return steps.length === 32 * next ? top.hash : new Uint8Array(0);
}

/** RFC 6962 2.1.2: the tree of `size` begins with the tree of `oldSize`. */
export async function consistent(oldSize, oldRoot, size, root, proof) {
  if (oldSize === size) return !proof.length && same(oldRoot, root);
  if (oldSize === 0) return !proof.length;
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

