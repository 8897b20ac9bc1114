// @inrupt/solid-client, its notifications, rdflib and ws, unmodified, under one login of @inrupt/solid-client-authn-node:
// told what to do by lines of JSON, one answer a line.
import { createInterface } from "node:readline";
import * as solid from "@inrupt/solid-client";
import { Session } from "@inrupt/solid-client-authn-node";
import { WebsocketNotification } from "@inrupt/solid-client-notifications";
import * as rdf from "rdflib";
import WebSocket from "ws";

const session = new Session();
const auth = { fetch: session.fetch };
const NAME = "https://schema.org/name";
const TEXT = { type: "text/plain" };
const say = (told) => process.stdout.write(JSON.stringify(told) + "\n");
const heard = [];
let live;
let waiting;

const hear = (message) => { heard.push(message); waiting?.(); };
const opened = (socket) => new Promise((done, failed) => { socket.on("open", done); socket.on("error", failed); });
const named = (found, url) => solid.getStringNoLocale(solid.getThing(found, url + "#it"), NAME);

function library() {
  const store = rdf.graph();
  const fetcher = new rdf.Fetcher(store, { fetch: session.fetch });
  return { store, fetcher, updater: new rdf.UpdateManager(store), say: (url, text) =>
    rdf.st(rdf.sym(url + "#it"), rdf.sym(NAME), rdf.lit(text), rdf.sym(url)) };
}

const updated = (updater, less, more) => new Promise((done, failed) =>
  updater.update(less, more, (uri, ok, error) => (ok ? done({}) : failed(new Error(error)))));

const steps = {
  async login(options) { await session.login(options); return { in: session.info.isLoggedIn, webid: session.info.webId }; },
  async pods({ webid }) { return { pods: await solid.getPodUrlAll(webid, auth) }; },
  async profile({ webid }) {
    const me = solid.getThing(await solid.getSolidDataset(webid, auth), webid);
    return { issuer: solid.getUrl(me, "http://www.w3.org/ns/solid/terms#oidcIssuer") };
  },
  async wellKnown({ url }) {
    const [first] = solid.getThingAll(await solid.getWellKnownSolid(url, auth), { acceptBlankNodes: true });
    return { gateway: solid.getIri(first, "http://www.w3.org/ns/solid/terms#notificationGateway") };
  },

  async folder({ url }) { return { url: solid.getSourceUrl(await solid.createContainerAt(url, auth)) }; },
  async folderIn({ url, slug }) {
    return { url: solid.getSourceUrl(await solid.createContainerInContainer(url, { slugSuggestion: slug, ...auth })) };
  },
  async list({ url }) { return { urls: solid.getContainedResourceUrlAll(await solid.getSolidDataset(url, auth)) }; },
  async removeFolder({ url }) { await solid.deleteContainer(url, auth); return {}; },

  async save({ url, name }) {
    const thing = solid.buildThing(solid.createThing({ name: "it" })).addStringNoLocale(NAME, name).build();
    await solid.saveSolidDatasetAt(url, solid.setThing(solid.createSolidDataset(), thing), auth);
    return {};
  },
  async saveIn({ url, slug, name }) {
    const thing = solid.buildThing(solid.createThing({ name: "it" })).addStringNoLocale(NAME, name).build();
    const made = solid.setThing(solid.createSolidDataset(), thing);
    const saved = await solid.saveSolidDatasetInContainer(url, made, { slugSuggestion: slug, ...auth });
    return { url: solid.getSourceUrl(saved) };
  },
  async load({ url }) { return { name: named(await solid.getSolidDataset(url, auth), url) }; },
  async change({ url, name }) {
    const found = await solid.getSolidDataset(url, auth);
    const thing = solid.setStringNoLocale(solid.getThing(found, url + "#it"), NAME, name);
    await solid.saveSolidDatasetAt(url, solid.setThing(found, thing), auth);
    return {};
  },
  async add({ url, fragment, name }) {
    const found = await solid.getSolidDataset(url, auth);
    const thing = solid.buildThing(solid.createThing({ name: fragment })).addStringNoLocale(NAME, name)
      .addInteger("https://schema.org/age", 7).addUrl("https://schema.org/url", "https://app.example/").build();
    await solid.saveSolidDatasetAt(url, solid.setThing(found, thing), auth);
    return {};
  },
  async drop({ url, fragment }) {
    const found = await solid.getSolidDataset(url, auth);
    await solid.saveSolidDatasetAt(url, solid.removeThing(found, `${url}#${fragment}`), auth);
    return {};
  },
  async removeData({ url }) { await solid.deleteSolidDataset(url, auth); return {}; },

  async file({ url, text }) {
    await solid.overwriteFile(url, new Blob([text], TEXT), { contentType: "text/plain", ...auth });
    return {};
  },
  async fileIn({ url, slug, text }) {
    const saved = await solid.saveFileInContainer(url, new Blob([text], TEXT), { slug, contentType: "text/plain", ...auth });
    return { url: solid.getSourceUrl(saved) };
  },
  async readFile({ url }) {
    const found = await solid.getFile(url, auth);
    return { text: await found.text(), type: solid.getContentType(found) };
  },
  async info({ url }) {
    const found = await solid.getResourceInfo(url, auth);
    return { type: solid.getContentType(found), raw: solid.isRawData(found), folder: solid.isContainer(found) };
  },
  async removeFile({ url }) { await solid.deleteFile(url, auth); return {}; },

  async publicAccess({ url }) { return { access: await solid.universalAccess.getPublicAccess(url, auth) }; },
  async setPublic({ url, access }) { return { access: await solid.universalAccess.setPublicAccess(url, access, auth) }; },
  async agentAccess({ url, agent }) { return { access: await solid.universalAccess.getAgentAccess(url, agent, auth) }; },
  async setAgent({ url, agent, access }) {
    return { access: await solid.universalAccess.setAgentAccess(url, agent, access, auth) };
  },
  async agents({ url }) { return { agents: await solid.universalAccess.getAgentAccessAll(url, auth) }; },

  async emptyUpdate({ url }) {
    const found = await solid.getSolidDataset(url, auth);
    await solid.saveSolidDatasetAt(url, found, auth);
    return {};
  },

  async rdfLoad({ url }) {
    const { store, fetcher } = library();
    await fetcher.load(url);
    return { name: store.anyValue(rdf.sym(url + "#it"), rdf.sym(NAME), null, rdf.sym(url)) ?? null };
  },
  async rdfUpdate({ url, less, more }) {
    const one = library();
    await one.fetcher.load(url);
    return updated(one.updater, less ? [one.say(url, less)] : [], more ? [one.say(url, more)] : []);
  },
  async rdfPut({ url, name }) {
    const one = library();
    await new Promise((done, failed) => one.updater.put(rdf.sym(url), [one.say(url, name)], "text/turtle",
      (uri, ok, error) => (ok ? done() : failed(new Error(error)))));
    return {};
  },
  async rdfMany({ urls, name }) {
    const one = library();
    for (const url of urls) await one.fetcher.load(url);
    await one.updater.updateMany([], urls.map((url) => one.say(url, name)));
    return {};
  },
  async rdfRemove({ url }) { await library().fetcher.delete(url); return {}; },

  async notify({ url }) {
    live = new WebsocketNotification(url, auth);
    live.on("message", hear);
    const ready = new Promise((done, failed) => { live.on("connected", done); live.on("error", failed); });
    await live.connect();
    await ready;
    return {};
  },
  async listen({ service, topic }) {
    const body = JSON.stringify({ "@context": ["https://www.w3.org/ns/solid/notification/v1"],
      type: "http://www.w3.org/ns/solid/notifications#WebSocketChannel2023", topic });
    const made = await session.fetch(service, { method: "POST", body, headers: { "content-type": "application/ld+json" } });
    const told = await made.json();
    live = new WebSocket(told.receiveFrom);
    live.on("message", (data) => hear(JSON.parse(data.toString())));
    live.on("close", () => hear({ closed: true }));
    await opened(live);
    return { topic: told.topic };
  },
  async next() {
    if (!heard.length) {
      await Promise.race([new Promise((done) => { waiting = done; }), new Promise((done) => setTimeout(done, 8000))]);
    }
    return { message: heard.shift() ?? null };
  },
  async hangUp() { (live.disconnect ?? live.close).call(live); return {}; },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { step, ...told } = JSON.parse(line);
  try {
    say(await steps[step](told));
  } catch (error) {
    say({ error: String(error?.message ?? error), status: error?.statusCode ?? error?.response?.status });
  }
}
process.exit(0);
