// @inrupt/solid-client-notifications, unmodified, and a bare WebSocketChannel2023: told what to do by lines of JSON.
import { createInterface } from "node:readline";
import { Session } from "@inrupt/solid-client-authn-node";
import { WebsocketNotification } from "@inrupt/solid-client-notifications";
import { WebSocket } from "ws";

const session = new Session();
const say = (told) => process.stdout.write(JSON.stringify(told) + "\n");
const heard = [];
let listening;
const soon = async (there) => {
  for (let n = 0; n < 500 && !there(); n += 1) await new Promise((done) => setTimeout(done, 10));
};

const steps = {
  async login(options) {
    let there;
    await session.login({ ...options, handleRedirect: (url) => { there = url; } });
    return { there };
  },
  async back({ url }) { return { in: (await session.handleIncomingRedirect(url))?.isLoggedIn }; },
  async listen({ topic }) {
    listening = new WebsocketNotification(topic, { fetch: session.fetch });
    listening.on("message", (one) => heard.push(one));
    await listening.connect();
    await soon(() => listening.status === "connected");
    return { status: listening.status };
  },
  async subscribe({ topic, service }) {
    const body = { "@context": ["https://www.w3.org/ns/solid/notification/v1"], topic,
      type: "http://www.w3.org/ns/solid/notifications#WebSocketChannel2023" };
    const answer = await session.fetch(service, { method: "POST", body: JSON.stringify(body),
      headers: { "content-type": "application/ld+json" } });
    const told = await answer.json();
    const socket = new WebSocket(told.receiveFrom);
    listening = { status: "connecting" };
    socket.onopen = () => { listening.status = "connected"; };
    socket.onclose = () => { listening.status = "closed"; };
    socket.onmessage = (one) => heard.push(JSON.parse(one.data));
    await soon(() => listening.status === "connected");
    return { status: listening.status };
  },
  async put({ url, text }) {
    const answer = await session.fetch(url, { method: "PUT", body: text, headers: { "content-type": "text/plain" } });
    return { status: answer.status, etag: answer.headers.get("etag") };
  },
  async heard({ many }) {
    await soon(() => heard.length >= many);
    return { heard: heard.splice(0) };
  },
  async closed() {
    await soon(() => listening.status === "closed");
    return { status: listening.status, heard: heard.splice(0) };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { step, ...told } = JSON.parse(line);
  try {
    say(await steps[step](told));
  } catch (error) {
    say({ error: String(error?.stack ?? error), status: error?.statusCode ?? error?.response?.status });
  }
}
process.exit(0);
