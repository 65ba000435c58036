// Who holds which note down, and what the server was told of it. A note that several hold sounds until all let go.

/** Events: `change` (detail: {note, held}). */
export class Voices extends EventTarget {
  #connection;
  #held = new Map(); // note -> {holders, velocity, voice_id, told}
  #count = 0;

  constructor(connection) {
    super();
    this.#connection = connection;
    connection.addEventListener("session", ({ detail }) => this.#goOn(detail.resumed));
    connection.addEventListener("state", () => connection.open && this.#tellAll());
  }

  /** Somebody (a key, a finger, a MIDI keyboard) presses a note, 0..127, with a velocity of 0..1. */
  press(holder, note, velocity = 0.8) {
    const voice = this.#held.get(note) ?? { holders: new Set(), velocity, voice_id: `v${this.#count++}`, told: false };
    voice.holders.add(holder);
    this.#held.set(note, voice);
    this.#tellAll();
    this.#changed(note, true);
  }

  /** And lets it go. */
  release(holder, note) {
    const voice = this.#held.get(note);
    if (!voice?.holders.delete(holder) || voice.holders.size) return;
    this.#held.delete(note);
    // said while the link is lost, too: it is sent once the link is back, and the note does not hang
    if (voice.told) this.#connection.play({ type: "note.off", voice_id: voice.voice_id });
    this.#changed(note, false);
  }

  /** Everything that somebody holds, or that anybody does. */
  releaseAll(holder = null) {
    for (const [note, voice] of [...this.#held]) {
      for (const each of holder === null ? [...voice.holders] : [holder]) this.release(each, note);
    }
  }

  /** A session that begins anew knows none of the voices. */
  #goOn(resumed) {
    if (!resumed) for (const voice of this.#held.values()) voice.told = false;
  }

  #tellAll() {
    if (!this.#connection.open) return;
    for (const [note, voice] of this.#held) {
      if (voice.told) continue;
      voice.told = true;
      this.#connection.play({ type: "note.on", note, velocity: voice.velocity, voice_id: voice.voice_id });
    }
  }

  #changed(note, held) {
    this.dispatchEvent(new CustomEvent("change", { detail: { note, held } }));
  }
}
