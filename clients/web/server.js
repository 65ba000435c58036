// What is asked of the server over HTTP: its models, and with a key, tokens to open sockets with.
// The key is typed in by whoever plays, lives in this closure alone, and is gone with the page.

const AT = new URL("../", import.meta.url);

/** The server wants a key, or another one. */
export class KeyNeeded extends Error {}

/** The server can't be reached, or refused with a message of its own; `retryAfterS` where it said when to come back. */
export class ServerError extends Error {
  constructor(message, retryAfterS = null) {
    super(message);
    this.retryAfterS = retryAfterS;
  }
}

export class Server {
  #key = null;

  /** Of the WebSocket. */
  get streamUrl() {
    const url = new URL("v1/audio/stream", AT);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    return url.href;
  }

  /** Use a key from now on. */
  unlock(key) {
    this.#key = key;
  }

  /** Every model served, as /v1/models tells. Throws KeyNeeded and ServerError. */
  async models() {
    return (await this.#ask("v1/models")).models;
  }

  /** A short-lived token; null where no key is needed. Throws KeyNeeded and ServerError. */
  async token() {
    return this.#key === null ? null : (await this.#ask("v1/tokens", "POST")).token;
  }

  async #ask(path, method = "GET") {
    const headers = this.#key === null ? {} : { Authorization: `Bearer ${this.#key}` };
    let answer;
    try {
      answer = await fetch(new URL(path, AT), { method, headers, cache: "no-store", signal: AbortSignal.timeout(10_000) });
    } catch {
      throw new ServerError("the server does not answer");
    }
    if (answer.status === 401) throw new KeyNeeded(this.#key === null ? "a key is needed" : "the key is not right");
    const said = await answer.json().catch(() => null);
    if (!answer.ok) {
      const wait = Number(answer.headers.get("Retry-After")) || null;
      throw new ServerError(said?.error?.message ?? `the server answered ${answer.status}`, wait);
    }
    return said;
  }
}
