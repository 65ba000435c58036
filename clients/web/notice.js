// What whoever plays must know or do, in one sentence and at most one button: shown, and read out.

const GRACE_MS = 300;

/**
 * For a state of the connection, null where there is nothing to say of it:
 * {text, clock?: what changes by the second, seen and not read out, action?: [label, what], tone: "ask" | "wait" | "wrong"}.
 */
function ofConnection(state, connection) {
  const retry = (label) => [label, () => connection.retry()];
  switch (state.name) {
    case "waiting": {
      const clock = state.eta_s == null ? "" : `About ${Math.ceil(state.eta_s)} s to go.`;
      return { text: `All places are taken. You are number ${state.position} in line.`, clock, tone: "wait" };
    }
    case "full": {
      const seconds = Math.max(0, Math.ceil((state.until - performance.now()) / 1000));
      const why = state.code === "draining" ? "The server is about to stop" : "The server is full";
      const clock = `Trying again in ${seconds} s.`;
      return { text: `${why} (${state.message}).`, clock, action: retry("Try now"), tone: "wait" };
    }
    case "lost": {
      const clock = state.attempt > 1 ? `Attempt ${state.attempt}.` : "";
      const what = state.resumes ? "coming back to where the music stopped" : "looking for the server";
      return { text: `The link is lost; ${what}.`, clock, action: retry("Try now"), tone: "wait" };
    }
    case "asleep":
      return { text: `Asleep: ${state.message}. Play a note to go on.`, action: ["Go on", () => connection.wake()], tone: "ask" };
    case "locked":
      return { text: `The music waits for a key: ${state.message}.`, tone: "ask" };
    case "refused":
      return { text: `The server refused: ${state.message}.`, action: retry("Try again"), tone: "wrong" };
    default:
      return null;
  }
}

const LAMPS = {
  off: "off",
  opening: "connecting",
  waiting: "in line",
  open: "playing live",
  lost: "link lost",
  full: "full",
  asleep: "asleep",
  locked: "needs a key",
  refused: "refused",
};

export class Notice {
  #root;
  #lamp;
  #connection;
  #player;
  #fault = null;
  #drain = null; // {seconds, until}
  #shown = null;

  /** root: holds a <p> and a <button>; lamp: an element with a <span> for one word. */
  constructor(root, lamp, connection, player) {
    this.#root = root;
    this.#lamp = lamp;
    this.#connection = connection;
    this.#player = player;
    root.querySelector("button").addEventListener("click", () => this.#shown?.action?.[1]());
    connection.addEventListener("state", () => this.show());
    player.addEventListener("state", () => {
      this.show();
      setTimeout(() => this.show(), GRACE_MS);
    });
    setInterval(() => this.show(), 1000); // the countdowns
  }

  /** Something of ours went wrong, for good, or until `action`. */
  fail(text, action = null) {
    this.#fault = { text, action, tone: "wrong" };
    this.show();
  }

  /** It is over. */
  mend() {
    this.#fault = null;
    this.show();
  }

  /** The server will stop in so many seconds. */
  drains(seconds) {
    this.#drain = { seconds, until: performance.now() + 1000 * seconds };
    this.show();
  }

  show() {
    const { state } = this.#connection;
    if (state.name !== "open") this.#drain = null;
    const notice = this.#fault ?? this.#ofSound() ?? ofConnection(state, this.#connection) ?? this.#ofDraining();
    this.#lamp.dataset.state = this.#fault ? "refused" : state.name;
    this.#lamp.querySelector("span").textContent = LAMPS[state.name];
    this.#root.hidden = notice === null;
    this.#shown = notice;
    const [text, clock] = this.#root.querySelectorAll("span");
    const button = this.#root.querySelector("button");
    const told = notice?.text ?? "";
    if (text.textContent !== told) text.textContent = told; // else it would be read out once more
    if (notice === null) return;
    clock.textContent = notice.clock ?? "";
    button.hidden = !notice.action;
    if (notice.action && button.textContent !== notice.action[0]) button.textContent = notice.action[0];
    this.#root.dataset.tone = notice.tone;
  }

  #ofSound() {
    const { context, running, readyAt } = this.#player;
    // where sound may begin by itself it does so a moment after all is ready
    if (!context || running || performance.now() - readyAt < GRACE_MS) return null;
    const text = "Sound is off: browsers start it only when you ask. Click here, or on a key.";
    return { text, action: ["Start the sound", () => this.#player.start()], tone: "ask" };
  }

  #ofDraining() {
    if (this.#drain === null) return null;
    const { seconds, until } = this.#drain;
    const text = `The server will stop in ${Math.ceil(seconds)} s; the music goes on until then.`;
    return { text, clock: `${Math.max(0, Math.ceil((until - performance.now()) / 1000))} s are left.`, tone: "wait" };
  }
}
