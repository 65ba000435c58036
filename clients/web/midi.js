// A MIDI keyboard, where the browser has Web MIDI and whoever plays allows it: notes, pedal, pitch wheel.

const BEND_CENTS = 200; // of the wheel's full way, as General MIDI has it
const PEDAL = 64;
const ALL_OFF = new Set([120, 123]); // all sound off, all notes off

/** Calls `play(controls)` with {bend} in cents and {sustain} of 0..1; notes go to the voices. */
export class Midi {
  #voices;
  #play;
  #access = null;

  constructor(voices, play) {
    this.#voices = voices;
    this.#play = play;
  }

  static get there() {
    return "requestMIDIAccess" in navigator;
  }

  /** Ask for access and listen to every input, those plugged in later too; `told` is called with their names. */
  async connect(told) {
    this.#access = await navigator.requestMIDIAccess();
    const look = () => {
      const inputs = [...this.#access.inputs.values()].filter((input) => input.state !== "disconnected");
      for (const input of inputs) input.onmidimessage = ({ data }) => this.#hear(input.id, data);
      told(inputs.map((input) => input.name ?? "a keyboard without a name"));
    };
    this.#access.onstatechange = ({ port }) => {
      if (port.state === "disconnected") this.#voices.releaseAll(`midi:${port.id}`);
      look();
    };
    look();
  }

  #hear(id, [status, first, second]) {
    const holder = `midi:${id}`;
    const kind = status & 0xf0;
    if (kind === 0x90 && second > 0) this.#voices.press(holder, first, second / 127);
    else if (kind === 0x80 || kind === 0x90) this.#voices.release(holder, first);
    else if (kind === 0xe0) this.#play({ bend: (((second << 7) | first) / 8192 - 1) * BEND_CENTS });
    else if (kind === 0xb0 && first === PEDAL) this.#play({ sustain: second / 127 });
    else if (kind === 0xb0 && ALL_OFF.has(first)) this.#voices.releaseAll(holder);
  }
}
