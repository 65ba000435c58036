// One session with the server, whatever becomes of its sockets: opened, waited for, lost, carried on.

import { KeyNeeded } from "./server.js";
import { parseFrame } from "./frame.js";

const PROTOCOL = "ostinato.v1";
const TOKEN_PROTOCOL = "ostinato.token.";
const BACKOFF_S = [0, 0.25, 0.5, 1, 2, 4, 5]; // before each attempt to come back; the last one holds
const FULL_RETRY_S = 5; // where the server is full and does not say when to come back
const SILENT_S = 5; // without a word: ask; twice as long: the link is lost
const STALLED_S = 3; // without audio, where it flows
const OPEN_S = 10; // until a socket is open and has been answered
const REPORT_S = 0.1;
const UNANSWERED = 2048; // events that are kept to be sent again
const DONE = 1000;
const DROPPED = 4000; // ours: any code but 1000 lets the session be carried on
const STEADY_S = 2; // after which a lost link is a new one, and not another attempt
const LOCKED = new Set(["not_authorised", "token_invalid"]);
const OURS = new Set(["over_limit", "too_slow"]); // errors of capacity that waiting does not mend

/**
 * Events: `state` when `state` changes; `message` (detail: a message of the server); `audio` (detail: a frame);
 * `session` (detail: {created, resumed}), before the first audio of a session or of a socket that carries one on, and
 * before the `state` that tells of it.
 *
 * States, by `state.name`: "off"; "opening"; "waiting" {position, eta_s}; "open"; "lost" {attempt, resumes};
 * "full" {message, until}; "asleep" {message}; "locked" {message}; "refused" {message}.
 */
export class Connection extends EventTarget {
  state = { name: "off" };
  created = null; // the session.created that holds
  #server;
  #describe;
  #start = null; // the session.start of the session that there is
  #socket = null;
  #next = 0; // sample
  #events = 0;
  #unanswered = new Map();
  #resting = false;
  #attempt = 0;
  #timer = null;
  #heardAt = 0;
  #saidAt = 0;
  #reportedAt = 0;
  #openedAt = 0;
  #failure = null; // the fatal error that came before the close
  #done = null;

  /** describe: the fields of session.start that a new session has. */
  constructor(server, describe) {
    super();
    this.#server = server;
    this.#describe = describe;
    setInterval(() => this.#watch(), 1000);
    addEventListener("online", () => this.state.name === "lost" && this.retry());
    addEventListener("pagehide", () => this.close());
  }

  get open() {
    return this.state.name === "open";
  }

  /** Begin, where nothing has. */
  wake() {
    if (["off", "asleep"].includes(this.state.name)) this.#dial();
  }

  /** Try at once; where it is locked, with the key that the server is asked with by now. */
  retry() {
    if (!["open", "opening", "waiting"].includes(this.state.name)) this.#dial();
  }

  /** Let this session go, and begin another, as it is described now. */
  restart() {
    if (this.state.name === "off") return;
    this.#hangUp(DONE);
    this.#forget();
    this.#dial();
  }

  /** Let the session go. */
  close() {
    this.#hangUp(DONE);
    this.#forget();
    this.#become({ name: "off" });
  }

  /** Say an event, which is heard once, however often the link is lost, unless the session is; nothing without one. */
  play(event) {
    if (this.created === null) return;
    const message = { ...event, event_id: `e${this.#events++}` };
    this.#unanswered.set(message.event_id, message);
    if (this.#unanswered.size > UNANSWERED) this.#unanswered.delete(this.#unanswered.keys().next().value);
    if (this.open) this.#say(message);
  }

  /** Stop the session's clock, or let it run on. */
  rest(resting) {
    this.#resting = resting;
    if (this.open) this.#say({ type: resting ? "stream.pause" : "stream.resume" });
  }

  /** Tell the server what is heard, now and then. */
  report({ played, buffered_ms, underruns }) {
    const now = performance.now() / 1000;
    if (!this.open || this.#next === 0 || now - this.#reportedAt < REPORT_S) return;
    this.#reportedAt = now;
    this.#say({ type: "playback.report", played_sample: played, buffered_ms, underruns });
  }

  async #dial(tries = 0) {
    this.#hangUp(DROPPED);
    const attempt = this.#attempt;
    this.#failure = this.#done = null;
    if (this.state.name !== "lost") this.#become({ name: "opening" });
    let protocols = [PROTOCOL];
    try {
      const token = await this.#server.token();
      if (token) protocols = [PROTOCOL, TOKEN_PROTOCOL + token];
    } catch (error) {
      if (attempt !== this.#attempt) return;
      if (error instanceof KeyNeeded) this.#become({ name: "locked", message: error.message });
      else this.#comeBack(tries);
      return;
    }
    if (attempt !== this.#attempt) return;
    this.#listen(new WebSocket(this.#server.streamUrl, protocols), tries);
  }

  #listen(socket, tries) {
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    this.#heardAt = performance.now() / 1000;
    const mine = (take) => (event) => socket === this.#socket && take(event);
    socket.onopen = mine(() => this.#begin());
    socket.onmessage = mine(({ data }) => this.#take(data));
    socket.onclose = mine(({ code, reason }) => this.#closed(code, reason, this.#steady ? 0 : tries));
  }

  #begin() {
    const resume = this.created && { token: this.created.resume_token, next_sample: this.#next };
    if (!resume) this.#start = { type: "session.start", ...this.#describe() };
    this.#say(resume ? { ...this.#start, resume } : this.#start);
  }

  #take(data) {
    this.#heardAt = performance.now() / 1000;
    if (typeof data !== "string") return this.#takeFrame(data);
    const message = JSON.parse(data);
    if (message.type === "session.created") this.#welcome(message);
    else if (message.type === "queue.update") this.#become({ name: "waiting", ...message });
    else if (message.type === "control.applied") this.#unanswered.delete(message.event_id);
    else if (message.type === "audio.done") this.#done = message;
    else if (message.type === "error" && message.fatal) this.#failure = message;
    else if (message.type === "error") this.#unanswered.delete(message.error.event_id);
    this.#tell("message", message);
  }

  #takeFrame(data) {
    try {
      const frame = parseFrame(data);
      this.#next = frame.first + frame.samples.length;
      this.#tell("audio", frame);
    } catch (error) {
      this.close();
      this.#become({ name: "refused", message: `what it sent is no audio: ${error.message}` });
    }
  }

  #welcome(created) {
    const resumed = this.created !== null;
    this.created = created;
    this.#openedAt = performance.now() / 1000;
    if (!resumed) {
      this.#next = 0;
      this.#unanswered.clear();
    }
    for (const event of this.#unanswered.values()) this.#say(event);
    this.state = { name: "open" }; // so that whoever hears of the session can speak first
    this.#tell("session", { created, resumed });
    this.#become(this.state);
  }

  /** What a close means depends on what was said before it. */
  #closed(code, reason, tries) {
    this.#socket = null;
    const error = this.#failure?.error;
    if (!error && !this.#done) return this.#comeBack(tries);
    const carriedOn = this.created !== null;
    this.#forget();
    if (this.#done) {
      if (this.#done.reason === "drained") return this.#comeBack(tries);
      return this.#become({ name: "asleep", message: "the session has ended" });
    }
    const message = error.message;
    if (error.code === "idle") return this.#become({ name: "asleep", message });
    if (error.code === "token_expired" || error.code === "slow_consumer") return this.#comeBack(tries);
    if (error.code === "resume_refused" && carriedOn) return this.#dial(tries);
    if (LOCKED.has(error.code)) return this.#become({ name: "locked", message });
    if (error.type === "capacity" && !OURS.has(error.code)) {
      return this.#waitOutside(error.code, message, this.#failure.retry_after_s ?? FULL_RETRY_S);
    }
    return this.#become({ name: "refused", message: message || reason || `closed with ${code}` });
  }

  #waitOutside(code, message, seconds) {
    this.#become({ name: "full", code, message, until: performance.now() + 1000 * seconds });
    this.#timer = setTimeout(() => this.#dial(), 1000 * seconds);
  }

  #comeBack(tries) {
    const wait = BACKOFF_S[Math.min(tries, BACKOFF_S.length - 1)] * (0.8 + 0.4 * Math.random());
    this.#become({ name: "lost", attempt: tries + 1, resumes: this.created !== null });
    this.#timer = setTimeout(() => this.#dial(tries + 1), 1000 * wait);
  }

  /** A link that is half open says nothing: ask, and give it up where there is no answer. */
  #watch() {
    if (!this.#socket) return;
    const silent = performance.now() / 1000 - this.#heardAt;
    const opening = this.#socket.readyState !== WebSocket.OPEN || this.state.name === "opening";
    const flowing = this.open && this.#next > 0 && !this.#resting; // once begun, through silence too
    if (silent > (opening ? OPEN_S : flowing ? STALLED_S : 2 * SILENT_S)) {
      this.#hangUp(DROPPED);
      this.#comeBack(0);
    } else if (silent > SILENT_S && this.open && performance.now() / 1000 - this.#saidAt > SILENT_S) {
      this.#saidAt = performance.now() / 1000;
      this.#say({ type: "ping" });
    }
  }

  #say(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  get #steady() {
    return this.open && performance.now() / 1000 - this.#openedAt > STEADY_S;
  }

  #forget() {
    this.created = this.#start = null;
    this.#unanswered.clear();
  }

  /** Whatever is under way counts no more; the last words of a socket are not heard. */
  #hangUp(code) {
    clearTimeout(this.#timer);
    this.#attempt++;
    this.#socket?.close(code);
    this.#socket = null;
  }

  #become(state) {
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
