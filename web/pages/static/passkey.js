// Passkeys in the browser: asks for one, puts its answer in the form, which then goes the ordinary way.
// What PRF gives is the key to the vault: it goes into the form it belongs to, is sent once, and is kept nowhere.

const asks = Boolean(window.PublicKeyCredential && navigator.credentials?.get);

function bytes(text) {
  const raw = atob(text.replaceAll("-", "+").replaceAll("_", "/")), out = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
  return out;
}

function text(buffer) {
  let raw = "";
  for (const byte of new Uint8Array(buffer)) raw += String.fromCharCode(byte);
  return btoa(raw).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Options as the server writes them (JSON, base64url) in the form that the browser wants. */
function options(told) {
  const read = JSON.parse(told), ids = (list) => list?.map((one) => ({ ...one, id: bytes(one.id) }));
  const first = bytes(read.extensions.prf.eval.first);
  return {
    ...read,
    challenge: bytes(read.challenge),
    extensions: { prf: { eval: { first } } },
    ...(read.user && { user: { ...read.user, id: bytes(read.user.id) } }),
    ...(read.allowCredentials && { allowCredentials: ids(read.allowCredentials) }),
    ...(read.excludeCredentials && { excludeCredentials: ids(read.excludeCredentials) }),
  };
}

/** A credential as JSON, without its extensions: what PRF gave travels in a field of its own. */
function json({ id, rawId, type, response }) {
  const said = {};
  for (const name of ["clientDataJSON", "authenticatorData", "signature", "userHandle", "attestationObject"]) {
    if (response[name]) said[name] = text(response[name]);
  }
  return JSON.stringify({ id, rawId: text(rawId), type, response: said });
}

const given = (credential) => credential.getClientExtensionResults().prf?.results?.first;

async function ask(told) {
  const credential = await navigator.credentials.get({ publicKey: options(told) });
  return [json(credential), given(credential)];
}

/** A new passkey and what its PRF gives; many devices give it only when asked a second time. */
async function make(told) {
  const wanted = options(told), credential = await navigator.credentials.create({ publicKey: wanted });
  let prf = given(credential);
  if (!prf && credential.getClientExtensionResults().prf?.enabled) {
    const challenge = crypto.getRandomValues(new Uint8Array(32)), { extensions, rp } = wanted;
    const allowCredentials = [{ type: "public-key", id: credential.rawId }];
    const publicKey = { challenge, extensions, allowCredentials, rpId: rp.id, userVerification: "required" };
    prf = given(await navigator.credentials.get({ publicKey }));
  }
  if (!prf) forget(wanted.rp.id, credential.id);
  return [json(credential), prf];
}

/** Tells the device that a passkey it just made is of no use here, where it wants to know. */
function forget(rpId, credentialId) {
  window.PublicKeyCredential.signalUnknownCredential?.({ rpId, credentialId }).catch(() => undefined);
}

function fill(form, prefix, [credential, prf]) {
  form.elements[`${prefix}credential`].value = credential;
  form.elements[`${prefix}prf`].value = prf ? text(prf) : "";
}

function empty(form) {
  for (const field of form.querySelectorAll("[name$=credential], [name$=prf]")) field.value = "";
}

const busy = new WeakSet();

/** What was pressed goes along: a form that a script sends names no button. */
function press(form, { name, value }) {
  const field = Object.assign(document.createElement("input"), { type: "hidden", name, value });
  form.append(field);
}

async function send(form, byPasskey, pressed) {
  if (busy.has(form)) return; // pressed twice: the first press is still being answered
  const { ask: asked, confirm, create, decide } = form.dataset, stopped = form.querySelector("[data-stopped]");
  busy.add(form);
  stopped.hidden = true;
  try {
    if (byPasskey) fill(form, "", await ask(asked ?? confirm ?? decide));
    if (create) fill(form, "new_", await make(create));
    if (pressed) press(form, pressed);
    form.submit();
  } catch {
    stopped.hidden = false;
  } finally {
    empty(form);
    busy.delete(form);
  }
}

for (const form of asks ? document.querySelectorAll("form[data-ask], form[data-confirm]") : []) {
  form.hidden = false;
  for (const button of form.querySelectorAll("[name=by]")) button.hidden = false;
  form.addEventListener("submit", (event) => {
    const byPasskey = event.submitter?.value === "passkey";
    if (!byPasskey && !form.dataset.create) return;
    event.preventDefault();
    send(form, byPasskey);
  });
}

// Deciding about something sensitive, or long after the login without typing a secret: the passkey is asked first.
const wants = (form) => form.querySelector("[data-explicit]:checked") || form.elements.proof?.value === "";

for (const form of asks ? document.querySelectorAll("form[data-decide]") : []) {
  form.addEventListener("submit", (event) => {
    if (event.submitter?.id !== "allow" || !wants(form)) return;
    event.preventDefault();
    send(form, true, event.submitter);
  });
}
