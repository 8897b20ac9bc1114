// @inrupt/solid-client-authn-node, unmodified: told what to do by lines of JSON, one answer a line.
import { createInterface } from "node:readline";
import { Session } from "@inrupt/solid-client-authn-node";
import { createContainerAt, createSolidDataset, createThing, deleteFile, buildThing, getFile, getPodUrlAll, getSolidDataset,
  getThing, overwriteFile, saveSolidDatasetAt, setThing, getStringNoLocale } from "@inrupt/solid-client";

const session = new Session();
const say = (told) => process.stdout.write(JSON.stringify(told) + "\n");
const NAME = "https://schema.org/name";

const steps = {
  async login(options) {
    let there;
    await session.login({ ...options, handleRedirect: (url) => { there = url; } });
    return { there };
  },
  async enter(options) {
    await session.login({ ...options, tokenType: "DPoP" });
    return { webid: session.info.webId, in: session.info.isLoggedIn };
  },
  async put({ url, text, type }) {
    return { status: (await session.fetch(url, { method: "PUT", body: text, headers: { "Content-Type": type } })).status };
  },
  async add({ url, text }) {
    return { status: (await session.fetch(url, { method: "POST", body: text, headers: { "Content-Type": "text/plain" } })).status };
  },
  async text({ url }) {
    const found = await session.fetch(url);
    return { status: found.status, text: await found.text() };
  },
  async back({ url }) {
    const info = await session.handleIncomingRedirect(url);
    return { webid: info?.webId, in: info?.isLoggedIn, client: info?.clientAppId };
  },
  async pods({ webid }) { return { pods: await getPodUrlAll(webid, { fetch: session.fetch }) }; },
  async folder({ url }) { await createContainerAt(url, { fetch: session.fetch }); return {}; },
  async save({ url, name }) {
    const thing = buildThing(createThing({ name: "it" })).addStringNoLocale(NAME, name).build();
    await saveSolidDatasetAt(url, setThing(createSolidDataset(), thing), { fetch: session.fetch });
    return {};
  },
  async remove({ url }) { await deleteFile(url, { fetch: session.fetch }); return {}; },
  async load({ url }) {
    const found = await getSolidDataset(url, { fetch: session.fetch });
    return { name: getStringNoLocale(getThing(found, url + "#it"), NAME) };
  },
  async file({ url, text }) {
    await overwriteFile(url, new Blob([text], { type: "text/plain" }), { contentType: "text/plain", fetch: session.fetch });
    return { text: await (await getFile(url, { fetch: session.fetch })).text() };
  },
  async status({ method, url }) { return { status: (await session.fetch(url, { method })).status }; },
  async leave({ url }) {
    let there;
    await session.logout({ logoutType: "idp", postLogoutUrl: url, handleRedirect: (to) => { there = to; } });
    return { there };
  },
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
