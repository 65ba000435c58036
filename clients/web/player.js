// The sound card's side: an AudioContext, the worklet that plays what is handed to it, and what can be seen of it.
// Browsers start no sound before the page is touched, so a context may stay suspended until `start` is called in a click.

const START_S = 0.08; // in hand before playing, or half the lead where that is less
const SPARE_S = 0.06; // of the lead: a server may be one block, of up to 40 ms, behind it
const ABOVE_S = 0.15; // of the lead, before it is trimmed

/** Events: `state` when `running` changes; `report` (detail: as the worklet counts, in samples, and in ms). */
export class Player extends EventTarget {
  context = null;
  node = null;
  analyser = null;
  last = null; // report
  readyAt = Infinity; // ms
  #rate = null;
  #ready = null; // a promise
  #session = 0; // reports of those before are of no interest

  /** Make ready for a rate in Hz; resolves once samples can be handed over. Throws where there is no AudioWorklet. */
  prepare(sampleRate) {
    if (this.#rate !== sampleRate) {
      this.#rate = sampleRate;
      this.#ready = this.#open(sampleRate).catch((error) => {
        this.#rate = null;
        throw error;
      });
    }
    return this.#ready;
  }

  async #open(sampleRate) {
    if (!globalThis.AudioWorkletNode) {
      throw new Error(
        isSecureContext
          ? "this browser has no AudioWorklet"
          : "browsers play sound in real time only on pages of https or localhost",
      );
    }
    this.node = null;
    await this.context?.close();
    this.context = new AudioContext({ sampleRate, latencyHint: "interactive" });
    this.context.onstatechange = () => this.dispatchEvent(new Event("state"));
    await this.context.audioWorklet.addModule(new URL("worklet.js", import.meta.url));
    this.node = new AudioWorkletNode(this.context, "ostinato-ring", {
      numberOfInputs: 0,
      outputChannelCount: [1],
    });
    this.node.port.onmessage = ({ data }) => this.#heard(data);
    this.analyser = new AnalyserNode(this.context, { fftSize: 4096, smoothingTimeConstant: 0, minDecibels: -84, maxDecibels: -18 });
    this.node.connect(this.analyser).connect(this.context.destination);
    this.readyAt = performance.now();
    this.dispatchEvent(new Event("state"));
  }

  /** Whether what is handed over is heard. */
  get running() {
    return this.node !== null && this.context.state === "running";
  }

  /** Ask for sound; browsers grant it in a click or a key press. */
  start() {
    return this.context?.resume();
  }

  /** A session begins that runs so far ahead. */
  begin(leadMs) {
    const lead = leadMs / 1000;
    const samples = (seconds) => Math.round(seconds * this.context.sampleRate);
    const most = samples(Math.max(lead / 2, lead - SPARE_S));
    const inHand = Math.min(samples(Math.min(START_S, lead / 2)), most);
    const [aim, ceiling] = [samples(lead), samples(lead + ABOVE_S)];
    this.node.port.postMessage({ type: "begin", session: ++this.#session, inHand, most, aim, ceiling });
  }

  // of the last session something may still come while the sound card is made ready for another rate

  /** It goes on over another connection. */
  link() {
    this.node?.port.postMessage({ type: "link" });
  }

  /** Running dry is no fault while it rests. */
  rest(resting) {
    this.node?.port.postMessage({ type: "rest", resting });
  }

  /** Nothing follows. */
  complete() {
    this.node?.port.postMessage({ type: "complete" });
  }

  /** Hand a frame over; its samples are the player's from then on. */
  take({ sequence, first, samples }) {
    this.node?.port.postMessage({ type: "audio", sequence, first, samples }, [samples.buffer]);
  }

  #heard(counted) {
    if (counted.session !== this.#session) return;
    const ms = 1000 / this.context.sampleRate;
    this.last = { ...counted, buffered_ms: counted.buffered * ms, in_hand_ms: counted.inHand * ms };
    this.dispatchEvent(new CustomEvent("report", { detail: this.last }));
  }
}
