// What the page of the log says after a check, and whether the lines on screen are lines of the log that was checked.

/** What is wrong, by reason; with a line before it: "Regel 4: …". */
export const WORDS = {
  edited: "deze regel is veranderd nadat hij geschreven was.",
  missing: "deze regel ontbreekt.",
  moved: "deze regel staat niet op zijn plaats.",
  inserted: "deze regel is later tussengevoegd.",
  chain: "deze regel past niet bij de regel ervoor.",
  outside: "deze regel staat niet zo in het groot logboek.",
  shown: "het scherm toont iets anders dan het logboek.",
  lost: "deze regel was er bij je vorige controle, en is nu weg of anders.",
  "rewritten-line": "deze regel of een oudere is veranderd sinds er een samenvatting van was.",
  slot: "Je logboek heeft een vaste plaats in de samenvatting van alle kluizen. Die plaats is een andere geworden.",
  unsummed: "De samenvatting van alle kluizen past niet bij je logboek.",
  backwards: "De samenvatting van je vorige controle is er niet meer.",
  skipped: "De server laat een samenvatting van alle kluizen weg.",
  late: "De nieuwste samenvatting van alle kluizen is te oud.",
  seal: "Het zegel van het groot logboek is niet echt.",
  key: "De sleutel van het groot logboek is een andere dan bij je vorige controle.",
  shrunk: "Het groot logboek is korter dan bij je vorige controle.",
  rewritten: "Het groot logboek is herschreven sinds je vorige controle.",
};
const DO = "Jij deed niets fout. Bewaar dit scherm en meld het aan de functionaris van de stad.";
const YOURS = "Iemand die aan de server kan, veranderde wat jij te zien krijgt, of de server is stuk.";
const ALL = "Niet alleen jouw regels, het logboek van iedereen klopt niet.";
/** What a reason means, and what to do now. */
const MEANS = {
  seal: `${ALL} ${DO}`, key: `${ALL} ${DO}`, shrunk: `${ALL} ${DO}`, rewritten: `${ALL} ${DO}`,
  backwards: `De server toont een oudere stand dan vorige keer. ${DO}`,
  late: "Er hoort geregeld een nieuwe te komen. Kijk na of de klok van je toestel juist staat en probeer over enkele minuten "
    + `opnieuw. Blijft het zo, dan toont de server misschien een oude stand. ${DO}`,
};
/** Reasons that rest on what this device remembers. */
const REMEMBERED = new Set(["lost", "key", "shrunk", "rewritten", "slot", "backwards"]);
const FILTERS = ["app", "category", "kind", "denied", "since", "until"];

const find = (id) => document.getElementById(id);

/** Says how the check goes on, and takes away what an earlier one said. */
export function status(text) {
  for (const id of ["log-ok", "log-broken", "log-by"]) find(id)?.setAttribute("hidden", "");
  for (const line of document.querySelectorAll(".broken")) line.classList.remove("broken");
  const place = find("log-status");
  place.hidden = false;
  place.textContent = text;
}

/** Whether a line on screen says what its record says; its words are the server's, these facts are not. */
function honest(line, entry, first) {
  if (entry.record === null) return Number(line.dataset.index) === first + entry.index; // its month is over
  const { app: seen, own } = JSON.parse(entry.record), record = { ...seen, ...own }, at = Date.parse(line.querySelector("time").dateTime);
  const app = record.type === "access" && record.decision === "allowed" && !record.agent ? record.client_name ?? "" : "";
  return Number(line.dataset.index) === first + entry.index && at === Math.floor(record.time / 60_000) * 60_000
    && Boolean(line.dataset.denied) === (record.decision === "denied")
    && (app.startsWith("source-") || line.textContent.includes(app));
}

/** The lines on screen are lines of the log that was checked, and none between two of them is left out. */
export function checkScreen({ entries, shards }) {
  const known = new Map(entries.map((entry) => [entry.seq, entry]));
  const lines = [...document.querySelectorAll("[data-seq]")], query = new URLSearchParams(location.search);
  const all = !FILTERS.some((name) => query.get(name)), newest = entries.at(-1).seq;
  for (const [i, line] of lines.entries()) {
    const seq = Number(line.dataset.seq), entry = known.get(seq), above = i && Number(lines[i - 1].dataset.seq);
    if (seq > newest) continue; // written since the log was fetched
    if (!entry || !honest(line, entry, shards[entry.shard].first)) return { ok: false, reason: "shown", line: seq };
    if (above && (all ? above !== seq + 1 : above <= seq)) return { ok: false, reason: "shown", line: seq + 1 };
  }
  return null;
}

/** How many lines are newer than the screen, which is only told: they may have been written since it was made. */
function newer(checked) {
  const top = Number(document.querySelector("[data-seq]")?.dataset.seq ?? 0);
  const count = location.search ? 0 : checked - top;
  return count > 0 ? ` Er zijn ${count} nieuwere regels dan dit scherm toont: laad het opnieuw.` : "";
}

/** Shows a verdict of `check`; `forget` starts anew without what this device remembers. */
export function show(verdict, forget) {
  const box = find(verdict.ok ? "log-ok" : "log-broken"), say = box.querySelector("[data-say]");
  find("log-status").hidden = true;
  box.hidden = false;
  if (verdict.ok) return (say.textContent = praise(verdict));
  const where = verdict.line === null ? "" : `Regel ${verdict.line}: `;
  say.textContent = where + WORDS[verdict.reason];
  box.querySelector("[data-todo]").textContent = MEANS[verdict.reason] ?? `${YOURS} ${DO}`;
  const line = verdict.line === null ? null : find(`line-${verdict.line}`);
  line?.classList.add("broken");
  if (verdict.line !== null && !line) say.append(" ", elsewhere(verdict.line));
  const button = find("log-forget");
  button.hidden = !REMEMBERED.has(verdict.reason);
  button.onclick = forget;
  return undefined;
}

function praise({ checked, withheld, ended, waiting, summaries }) {
  const counted = `${checked} ${checked === 1 ? "regel" : "regels"}`;
  const summed = `${summaries} ${summaries === 1 ? "samenvatting" : "samenvattingen"}`;
  const later = waiting ? ` Nog niet verzegeld: ${waiting}. Dat duurt enkele seconden.` : "";
  const over = ended ? ` Ouder dan de termijn, en niet meer te lezen: ${ended}.` : "";
  return `Dit toestel controleerde ${counted} en ${summed}. Er is niets gewist en niets veranderd. Achtergehouden: ${withheld}.${over}${later}${newer(checked)}`;
}

/** A way to a line that is on another page. */
function elsewhere(line) {
  const link = document.createElement("a");
  link.href = `/me/log?before=${line + 100}#line-${line}`;
  link.textContent = "Toon de regel.";
  return link;
}
