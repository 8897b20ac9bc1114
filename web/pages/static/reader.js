// A reader beside the page of the log: fetches and reads the parts it is told (lines.js). It judges nothing.

import { readPart } from "./lines.js";

addEventListener("message", async ({ data: { address, wanted }, ports: [port] }) => {
  try {
    const read = await readPart(address, wanted);
    port.postMessage(read, [read.bytes.buffer]);
  } catch (error) {
    port.postMessage({ fault: error.message });
  }
});
