// What both programs share: reading steps, answering, and an app's own key. No OAuth in here.
import { createInterface } from "node:readline";

const say = (told) => process.stdout.write(JSON.stringify(told) + "\n");

export const own = (jwk) =>
  crypto.subtle.importKey("jwk", jwk, { name: "ECDSA", namedCurve: jwk.crv }, false, ["sign"]);

export async function serve(steps) {
  for await (const line of createInterface({ input: process.stdin })) {
    const { step, ...told } = JSON.parse(line);
    try {
      say(await steps[step](told));
    } catch (error) {
      const said = error.cause?.[0]?.parameters; // what a WWW-Authenticate challenge holds
      say({ error: error.error ?? said?.error ?? error.code ?? String(error), status: error.status, why: error.message });
    }
  }
  process.exit(0);
}
