// openid-client, unmodified: told what to do by lines of JSON, one answer a line.
import * as client from "openid-client";
import { own, serve } from "./steps.mjs";

const run = {};
let config, signing, media, DPoP, tokens;

await serve({
  async discover({ issuer, clientId, jwk, redirectUri }) {
    const auth = client.PrivateKeyJwt({ key: await own(jwk), kid: jwk.kid });
    const how = { algorithm: "oauth2", execute: [client.allowInsecureRequests] }; // loopback only
    config = await client.discovery(new URL(issuer), clientId, undefined, auth, how);
    const metadata = { introspection_signed_response_alg: "ES256" };
    signing = await client.discovery(new URL(issuer), clientId, metadata, auth, how);
    client.enableNonRepudiationChecks(signing);
    signing[client.customFetch] = async (...call) => {
      const sent = await fetch(...call);
      media = call[1].method === "POST" ? sent.headers.get("content-type") : media; // the keys are fetched by GET
      return sent;
    };
    DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair("ES256"));
    run.redirectUri = redirectUri;
    return { issuer: config.serverMetadata().issuer };
  },
  async push({ details }) {
    run.verifier = client.randomPKCECodeVerifier();
    run.state = client.randomState();
    const form = { redirect_uri: run.redirectUri, state: run.state, code_challenge_method: "S256",
      code_challenge: await client.calculatePKCECodeChallenge(run.verifier), authorization_details: JSON.stringify(details) };
    return { there: (await client.buildAuthorizationUrlWithPAR(config, form, { DPoP })).href };
  },
  async mixup({ url }) {
    const checks = { pkceCodeVerifier: run.verifier, expectedState: run.state };
    await client.authorizationCodeGrant(config, new URL(url), checks, undefined, { DPoP });
    return { state: run.state };
  },
  async redeem({ url }) {
    const checks = { pkceCodeVerifier: run.verifier, expectedState: run.state };
    tokens = await client.authorizationCodeGrant(config, new URL(url), checks, undefined, { DPoP });
    return { type: tokens.token_type, seconds: tokens.expires_in, details: tokens.authorization_details };
  },
  async read({ url }) {
    const sent = await client.fetchProtectedResource(config, tokens.access_token, new URL(url), "GET", null, undefined, { DPoP });
    return { status: sent.status, body: await sent.json() };
  },
  async introspect({ which }) { return { told: await client.tokenIntrospection(config, tokens[which]) }; },
  async signed({ which }) { return { told: await client.tokenIntrospection(signing, tokens[which]), media }; },
  async refresh() {
    const found = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP });
    const fresh = found.access_token !== tokens.access_token;
    tokens = { ...tokens, ...found };
    return { type: found.token_type, fresh };
  },
  async revoke({ which }) { await client.tokenRevocation(config, tokens[which]); return {}; },
});
