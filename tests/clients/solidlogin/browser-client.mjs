// @inrupt/solid-client-authn-browser, unmodified, as an app's own page uses it.
import { Session } from "@inrupt/solid-client-authn-browser";

const session = new Session();
window.arrived = session
  .handleIncomingRedirect({ url: window.location.href, restorePreviousSession: true })
  .then(() => ({ in: session.info.isLoggedIn, webid: session.info.webId }));
window.enter = (oidcIssuer, clientId) =>
  session.login({ oidcIssuer, clientId, clientName: "Notities", redirectUrl: `${window.location.origin}/back` });
window.ask = async (method, url, body) => {
  const headers = body ? { "content-type": "text/plain" } : {};
  const answer = await session.fetch(url, { method, body, headers });
  return { status: answer.status, text: answer.ok ? await answer.text() : "" };
};
