// Asking the console's own server, and nobody else. The session has two halves: the cookie, which
// this script cannot read, and a word that is kept here and sent along.

const WORD = "tearline-page";

export class SignedOut extends Error {}

export class Refused extends Error {
  constructor({ error, title, detail, advice }) {
    super(detail ? `${title}: ${detail}` : title);
    Object.assign(this, { slug: error, advice });
  }
}

async function answered(response) {
  const said = await response
    .json()
    .catch(() => ({ error: "internal", title: "the console gave no answer" }));
  if (response.ok) return said;
  if (response.status === 403) throw new SignedOut();
  throw new Refused(said);
}

async function send(path, options) {
  try {
    return await fetch(path, {
      credentials: "same-origin",
      cache: "no-store",
      redirect: "error",
      ...options,
    });
  } catch {
    throw new Refused({
      error: "unreachable",
      title: "the console is not running",
      advice: "run tearline audit console again",
    });
  }
}

export async function ask(path, words = {}) {
  const query = new URLSearchParams(
    Object.entries(words).filter(
      ([, value]) => value !== null && value !== undefined && value !== "",
    ),
  );
  const headers = { [WORD]: localStorage.getItem(WORD) ?? "" };
  return answered(await send(`/console/api/${path}${query.size ? `?${query}` : ""}`, { headers }));
}

export async function signIn(code) {
  const headers = { "content-type": "application/json" };
  const said = await answered(
    await send("/console/session", { method: "POST", headers, body: JSON.stringify({ code }) }),
  );
  localStorage.setItem(WORD, said.page);
}

export async function signOut() {
  const headers = { [WORD]: localStorage.getItem(WORD) ?? "" };
  localStorage.removeItem(WORD);
  await send("/console/session", { method: "DELETE", headers }).catch(() => {});
}
