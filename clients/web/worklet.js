// The ring buffer before the sound card, on the audio thread. Samples are known by their place in the stream.
//
// It starts with a little in hand, fades out before it runs dry and in again once it has more, takes up what came too
// much by a crossfade, and counts whatever did not follow on what was there. No sample of the stream is lost by a
// fade: playing stops and goes on between two of them.

const CAPACITY = 2 ** 19; // samples: 12 s
const FADE = 256; // samples: 6 ms, more than a quantum
const GROWTH = 1.5; // of what is gathered before playing, after an underrun
const REPORT = 2048; // samples between reports: 46 ms

class Ring extends AudioWorkletProcessor {
  #ring = new Float32Array(CAPACITY);
  #session = 0;
  #read = 0; // samples of the stream
  #write = 0;
  #sequence = 0;
  #playing = false;
  #fading = false;
  #gain = 0;
  #inHand = 0; // to gather before playing
  #most = 0; // that it may grow to
  #ceiling = CAPACITY; // more than this in hand is trimmed
  #aim = CAPACITY; // to this
  #complete = false; // nothing follows: running dry is the end
  #resting = false; // the stream's clock stands
  #tail = new Float32Array(0); // of the session before, fading out
  #sinceReport = 0;
  #counted = { underruns: 0, trimmed: 0, discontinuities: 0 };

  constructor() {
    super();
    this.port.onmessage = ({ data }) => this[data.type](data);
  }

  /** A new session. */
  begin({ session, inHand, most, aim, ceiling }) {
    this.#session = session;
    this.#tail = this.#cutTail();
    this.#read = this.#write = this.#sequence = 0;
    this.#playing = this.#fading = this.#complete = this.#resting = false;
    this.#gain = 0;
    this.#inHand = inHand;
    this.#most = most;
    this.#aim = aim;
    this.#ceiling = ceiling;
    this.#counted.underruns = this.#counted.trimmed = 0;
  }

  /** The session goes on over another connection, whose frames are numbered from 0. */
  link() {
    this.#sequence = 0;
  }

  rest({ resting }) {
    this.#resting = resting;
  }

  complete() {
    this.#complete = true;
  }

  audio({ sequence, first, samples }) {
    if (sequence !== this.#sequence || first !== this.#write) this.#counted.discontinuities++;
    this.#sequence = sequence + 1;
    if (first > this.#write) this.#skipTo(first);
    const known = Math.min(samples.length, this.#write - first);
    for (let i = known; i < samples.length; i++) this.#ring[this.#write++ % CAPACITY] = samples[i];
    if (this.#buffered > this.#ceiling) this.#trim();
  }

  get #buffered() {
    return this.#write - this.#read;
  }

  process(_, [[out]]) {
    this.#playTail(out);
    if (!this.#playing && this.#buffered && (this.#complete || this.#buffered >= this.#inHand)) this.#playing = true;
    if (this.#playing) this.#play(out);
    this.#sinceReport += out.length;
    if (this.#sinceReport >= REPORT) this.#report();
    return true;
  }

  #play(out) {
    if (!this.#fading && this.#buffered < out.length + FADE) this.#fading = true;
    for (let i = 0; i < out.length; i++) {
      this.#gain = Math.min(1, Math.max(0, this.#gain + (this.#fading ? -1 : 1) / FADE));
      if (this.#fading && (this.#gain === 0 || !this.#buffered)) {
        this.#stop();
        return;
      }
      out[i] += this.#ring[this.#read++ % CAPACITY] * this.#gain;
    }
  }

  #stop() {
    this.#playing = this.#fading = false;
    this.#gain = 0;
    if (this.#complete) this.#read = this.#write;
    else if (!this.#resting) {
      this.#counted.underruns++;
      this.#inHand = Math.min(this.#most, Math.round(this.#inHand * GROWTH));
    }
  }

  /** Go on later in the stream, from one place to the other by a crossfade that is mixed into the ring. */
  #trim() {
    const to = this.#write - this.#aim;
    this.#counted.trimmed += to - this.#read;
    for (let i = 0; i < FADE; i++) {
      const old = this.#ring[(this.#read + i) % CAPACITY];
      this.#ring[(to + i) % CAPACITY] = old + (this.#ring[(to + i) % CAPACITY] - old) * (i / FADE);
    }
    this.#read = to;
  }

  /** What lies between is lost. */
  #skipTo(first) {
    this.#tail = this.#cutTail();
    this.#read = this.#write = first;
    this.#playing = this.#fading = false;
    this.#gain = 0;
  }

  #cutTail() {
    const tail = new Float32Array(this.#playing ? Math.min(FADE, this.#buffered) : 0);
    for (let i = 0; i < tail.length; i++) {
      tail[i] = this.#ring[(this.#read + i) % CAPACITY] * this.#gain * (1 - i / tail.length);
    }
    return tail;
  }

  #playTail(out) {
    const now = Math.min(out.length, this.#tail.length);
    for (let i = 0; i < now; i++) out[i] += this.#tail[i];
    this.#tail = this.#tail.subarray(now);
  }

  #report() {
    this.#sinceReport = 0;
    const { underruns, trimmed, discontinuities } = this.#counted;
    this.port.postMessage({
      session: this.#session,
      received: this.#write,
      played: this.#read,
      buffered: this.#buffered,
      inHand: this.#inHand,
      playing: this.#playing,
      underruns,
      trimmed,
      discontinuities,
    });
  }
}

registerProcessor("ostinato-ring", Ring);
