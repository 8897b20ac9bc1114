// Readers beside the page (reader.js), so that two cores read a long log. Without them the page reads it by itself.

import { readPart } from "./lines.js";

const MOST = 2;
const ours = { createScriptURL: () => new URL("reader.js", import.meta.url).href };
const policy = globalThis.trustedTypes?.createPolicy("kluis-reader", ours) ?? ours;

function begin() {
  try {
    const worker = new Worker(policy.createScriptURL(""), { type: "module" });
    return { worker, failed: new Promise((done) => (worker.onerror = done)) };
  } catch {
    return {}; // no workers here, or they are forbidden
  }
}

/**
 * {read, stop}: `read(address)` promises a part of the log as `readPart` gives it; `wanted` are the numbers of the lines to
 * keep whole. The readers take turns; what one that does not start was asked, the page does.
 */
export function readers(wanted) {
  const many = Math.min(MOST, navigator.hardwareConcurrency ?? 1), workers = many > 1 ? Array.from({ length: many }, begin) : [];
  let turn = 0;
  const read = (address) => new Promise((done, fail) => {
    const here = () => readPart(address, wanted).then(done, fail), { worker, failed } = workers[turn++ % workers.length] ?? {};
    if (!worker) return void here();
    const { port1, port2 } = new MessageChannel();
    let answered = false;
    failed.then(() => answered || here());
    port1.onmessage = ({ data }) => (answered = true, port1.close(),
      data.fault === undefined ? done(data) : fail(new Error(data.fault)));
    worker.postMessage({ address, wanted }, [port2]);
  });
  return { read, stop: () => workers.forEach(({ worker }) => worker?.terminate()) };
}
