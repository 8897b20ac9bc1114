// The pod's slot in the summaries of all pods: what the log held at a moment, bound for everybody (vault/log/slots.py).

import { Broken, LEAF, decoded, included, sha256, unb64, utf8 } from "./tree.js";

const TYPE = "kluis/slots/v1", DOMAIN = utf8.encode("kluis/slot/v1");
const STATEMENT = Uint8Array.of(1, 2), MINUTE = 60_000;
/** Minutes that a summary may be late, for clocks that differ and a server that starts. */
const GRACE = 5;

function u64(number) {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(number));
  return bytes;
}

const leafOf = (salt, count, head) => sha256(DOMAIN, salt, u64(count), head);
const whole = (...numbers) => numbers.every((number) => Number.isSafeInteger(number) && number >= 0);

/** The summary that a statement in the sealed log tells; throws Broken("unsummed") if it is none or not there. */
async function readSummary(slot, seals) {
  const seal = seals[slot.shard], hash = await sha256(LEAF, STATEMENT, utf8.encode(slot.body));
  const there = seal && whole(slot.index) && (await included(hash, slot.index, seal.size, decoded(slot.proof), seal.root));
  let told = {};
  try {
    told = JSON.parse(slot.body) ?? {};
  } catch { /* stays empty */ }
  const { type, epoch, entries, slots, every, before } = told;
  if (!there || type !== TYPE || !whole(epoch, entries, slots, every, before, slot.slot) || slot.slot >= slots)
    throw new Broken("unsummed");
  return { epoch, entries, slots, every, before, root: unb64(told.root) };
}

/** The lines that are older than a summary are exactly those it counted, up to the very head it holds. */
async function checkSlot(slot, summary, lines) {
  const older = lines.filter((line) => line.place < summary.entries), head = older.at(-1)?.next;
  const salt = unb64(slot.salt), path = slot.path.map(unb64);
  const leads = (leaf) => included(leaf, slot.slot, summary.slots, path, summary.root);
  if (head && salt.length === 32 && (await leads(await leafOf(salt, older.length, head)))) return;
  const claimed = unb64(slot.head);
  const held = whole(slot.count) && claimed.length === 32 && (await leads(await leafOf(salt, slot.count, claimed)));
  if (!held) throw new Broken("unsummed");
  if (slot.count > older.length) throw new Broken("missing", older.length + 1);
  if (slot.count < older.length) throw new Broken("inserted", slot.count + 1);
  throw new Broken("rewritten-line", older.length);
}

/**
 * The newest summary and some older ones, newest first. `lines` have `place` (in the whole log) and `next` (hash of their
 * commitment); `memory` may pin slot and epoch. Returns what to remember. Throws Broken.
 */
export async function checkSlots(slots, lines, seals, memory, now) {
  const [first] = lines, pinned = first.ended ? memory?.slot ?? slots[0]?.slot : first.record.slot;
  const began = first.ended ? 0 : first.record.time;
  if (!whole(pinned) || (memory?.slot ?? pinned) !== pinned) throw new Broken("slot", 1);
  if (slots.some((slot) => slot.slot !== pinned)) throw new Broken("slot", null);
  const summaries = await Promise.all(slots.map((slot) => readSummary(slot, seals)));
  const [newest] = summaries;
  const late = newest ? now - newest.epoch * MINUTE > (2 * newest.every + GRACE) * MINUTE
    : now - began > GRACE * MINUTE;
  if (memory?.epoch && !(newest?.epoch >= memory.epoch)) throw new Broken("backwards");
  await Promise.all(summaries.map((summary, i) => checkSlot(slots[i], summary, lines)));
  // The one before the newest is asked for by name: else a server that rewrote lines shows only a summary made since.
  const older = Math.floor(began / MINUTE) < (newest?.before ?? 0);
  if (older && !summaries.some((summary) => summary.epoch === newest.before)) throw new Broken("skipped");
  if (late) throw new Broken("late");
  return { slot: pinned, epoch: newest?.epoch ?? null, summaries: summaries.length };
}

/** Some minutes between now and two years ago, most of them near: which ones, the server cannot know beforehand. */
export function someEpochs(now, some = 6) {
  const far = Math.log(2 * 365 * 24 * 60), draws = crypto.getRandomValues(new Uint32Array(some));
  return [...draws].map((draw) => Math.floor(now / MINUTE) - Math.ceil(Math.exp((far * draw) / 2 ** 32)));
}
