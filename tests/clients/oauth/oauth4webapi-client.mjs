// oauth4webapi, unmodified: told what to do by lines of JSON, one answer a line.
import * as oauth from "oauth4webapi";
import { own, serve } from "./steps.mjs";

const http = { [oauth.allowInsecureRequests]: true }; // loopback only
const run = {};
let as, client, auth, DPoP, tokens;
const options = () => ({ DPoP, ...http });

await serve({
  async discover({ issuer, clientId, jwk, redirectUri }) {
    const base = new URL(issuer);
    as = await oauth.processDiscoveryResponse(base, await oauth.discoveryRequest(base, { algorithm: "oauth2", ...http }));
    const resource = await oauth.processResourceDiscoveryResponse(base, await oauth.resourceDiscoveryRequest(base, http));
    client = { client_id: clientId };
    auth = oauth.PrivateKeyJwt({ key: await own(jwk), kid: jwk.kid });
    DPoP = oauth.DPoP(client, await oauth.generateKeyPair("ES256"));
    run.redirectUri = redirectUri;
    return { issuer: as.issuer, servers: resource.authorization_servers };
  },
  async push({ details }) {
    run.verifier = oauth.generateRandomCodeVerifier();
    run.state = oauth.generateRandomState();
    const form = { response_type: "code", redirect_uri: run.redirectUri, state: run.state, code_challenge_method: "S256",
      code_challenge: await oauth.calculatePKCECodeChallenge(run.verifier), authorization_details: JSON.stringify(details) };
    const sent = await oauth.pushedAuthorizationRequest(as, client, auth, new URLSearchParams(form), options());
    const pushed = await oauth.processPushedAuthorizationResponse(as, client, sent);
    const there = new URL(as.authorization_endpoint);
    there.search = new URLSearchParams({ client_id: client.client_id, request_uri: pushed.request_uri });
    return { there: there.href, seconds: pushed.expires_in };
  },
  async mixup({ url }) { return { state: oauth.validateAuthResponse(as, client, new URL(url), run.state).get("state") }; },
  async redeem({ url }) {
    const said = oauth.validateAuthResponse(as, client, new URL(url), run.state);
    const sent = await oauth.authorizationCodeGrantRequest(as, client, auth, said, run.redirectUri, run.verifier, options());
    tokens = await oauth.processAuthorizationCodeResponse(as, client, sent);
    return { type: tokens.token_type, seconds: tokens.expires_in, details: tokens.authorization_details };
  },
  async read({ url }) {
    const sent = await oauth.protectedResourceRequest(tokens.access_token, "GET", new URL(url), undefined, null, options());
    return { status: sent.status, body: await sent.json() };
  },
  async introspect({ which }) {
    const sent = await oauth.introspectionRequest(as, client, auth, tokens[which], http);
    return { told: await oauth.processIntrospectionResponse(as, client, sent) };
  },
  async signed({ which }) {
    const signing = { ...client, introspection_signed_response_alg: "ES256" };
    const sent = await oauth.introspectionRequest(as, signing, auth, tokens[which], http);
    const told = await oauth.processIntrospectionResponse(as, signing, sent);
    await oauth.validateApplicationLevelSignature(as, sent, http);
    return { told, media: oauth.getContentType(sent) };
  },
  async refresh() {
    const sent = await oauth.refreshTokenGrantRequest(as, client, auth, tokens.refresh_token, options());
    const found = await oauth.processRefreshTokenResponse(as, client, sent);
    const fresh = found.access_token !== tokens.access_token;
    tokens = { ...tokens, ...found };
    return { type: found.token_type, fresh };
  },
  async revoke({ which }) {
    await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, auth, tokens[which], http));
    return {};
  },
});
