// The keyboard: a piano on the screen for pointers and fingers, the same keys for Tab and arrows, and the letters of a
// computer's keyboard. All of them press and release notes, by name of who holds them.

const NAMES = ["C", "C sharp", "D", "E flat", "E", "F", "F sharp", "G", "A flat", "A", "B flat", "B"];
const BLACK = new Set([1, 3, 6, 8, 10]);
const CODES = "KeyA KeyW KeyS KeyE KeyD KeyF KeyT KeyG KeyY KeyH KeyU KeyJ KeyK KeyO KeyL KeyP Semicolon Quote".split(" ");
const LETTERS = "A W S E D F T G Y H U J K O L P ; '".split(" ");
const DOWN = "KeyZ";
const UP = "KeyX";
const WIDTHS = [[1020, 3], [560, 2], [0, 1]]; // of the piano, in px, and the octaves that it shows there
const [LOWEST, HIGHEST] = [24, 96]; // of the octave that the letters play
const TAP_MS = 500; // a note that nobody holds
const SOFT = 0.35; // velocity at the top of a key; at its lower edge it is 1

export class Keyboard {
  #root;
  #voices;
  #octave = 60; // MIDI note of the letter A
  #octaves = 0;
  #keys = new Map(); // note -> button
  #range = [0, 127];
  #fingers = new Map(); // pointer -> note
  #typed = new Map(); // code -> note
  #letters = LETTERS;

  /** root: an empty element; moved: called with the name of the lowest note of the letters. */
  constructor(root, voices, moved = () => {}) {
    this.#root = root;
    this.#voices = voices;
    this.moved = moved;
    new ResizeObserver(() => this.#fit()).observe(root);
    this.#fit();
    this.#listenToPointers();
    this.#listenToKeys();
    voices.addEventListener("change", ({ detail }) => this.#show(detail.note, detail.held));
    // whoever is not looked at hears of no key that is let go
    addEventListener("blur", () => this.releaseAll());
    document.addEventListener("visibilitychange", () => document.hidden && this.releaseAll());
    navigator.keyboard?.getLayoutMap?.().then((map) => {
      this.#letters = CODES.map((code, i) => map.get(code)?.toUpperCase() ?? LETTERS[i]);
      this.#draw();
    }, () => {});
  }

  /** Dim the notes that the instrument was not taught. */
  set range([low, high]) {
    this.#range = [low, high];
    for (const [note, key] of this.#keys) key.classList.toggle("untaught", note < low || note > high);
  }

  /** Move the letters by so many octaves. */
  shift(by) {
    const octave = Math.min(HIGHEST, Math.max(LOWEST, this.#octave + 12 * by));
    if (octave === this.#octave) return;
    this.#octave = octave;
    this.#draw();
  }

  releaseAll() {
    this.#fingers.clear();
    this.#typed.clear();
    for (const holder of ["touch", "typed", "focus", "tap"]) this.#voices.releaseAll(holder);
  }

  get #first() {
    return this.#octaves === 3 ? this.#octave - 12 : this.#octave;
  }

  #fit() {
    const [, octaves] = WIDTHS.find(([width]) => this.#root.clientWidth >= width);
    if (octaves === this.#octaves) return;
    this.#octaves = octaves;
    this.#draw();
  }

  #draw() {
    const focused = this.#root.contains(document.activeElement);
    const first = this.#first;
    const notes = Array.from({ length: 12 * this.#octaves + 1 }, (_, i) => first + i);
    this.releaseAll();
    this.#keys = new Map(notes.map((note) => [note, this.#key(note)]));
    this.#root.replaceChildren(...this.#keys.values());
    this.#root.style.setProperty("--whites", 7 * this.#octaves + 1);
    this.#root.setAttribute("aria-label", `Piano, ${nameOf(first)} to ${nameOf(notes.at(-1))}`);
    const entry = this.#keys.get(this.#octave);
    entry.tabIndex = 0;
    if (focused) entry.focus();
    this.range = this.#range;
    this.moved(nameOf(this.#octave));
  }

  #key(note) {
    const key = document.createElement("button");
    const white = whitesBelow(note) - whitesBelow(this.#first);
    key.type = "button";
    key.tabIndex = -1;
    key.dataset.note = note;
    key.className = BLACK.has(note % 12) ? "key black" : "key white";
    key.style.setProperty("--at", white);
    key.setAttribute("aria-label", nameOf(note));
    key.setAttribute("aria-pressed", "false");
    const letter = this.#letters[note - this.#octave];
    if (letter) key.append(label("letter", letter));
    if (note % 12 === 0) key.append(label("octave", `C${Math.floor(note / 12) - 1}`));
    return key;
  }

  #show(note, held) {
    const key = this.#keys.get(note);
    key?.classList.toggle("held", held);
    key?.setAttribute("aria-pressed", String(held));
  }

  #listenToPointers() {
    const root = this.#root;
    root.addEventListener("pointerdown", (event) => {
      if (event.button > 0) return;
      root.setPointerCapture(event.pointerId); // so that a glide over the keys is told here
      this.#touch(event);
    });
    root.addEventListener("pointermove", (event) => this.#fingers.has(event.pointerId) && this.#touch(event));
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      root.addEventListener(end, ({ pointerId }) => this.#lift(pointerId));
    }
    root.addEventListener("contextmenu", (event) => event.preventDefault()); // a long press is a long note
  }

  /** A finger is on a key, or has slid from one to another. */
  #touch({ pointerId, clientX, clientY }) {
    const key = document.elementFromPoint(clientX, clientY)?.closest(".key");
    const note = key && this.#root.contains(key) ? Number(key.dataset.note) : null;
    const before = this.#fingers.get(pointerId);
    if (note === before) return;
    if (before !== undefined && before !== null) this.#lift(pointerId);
    this.#fingers.set(pointerId, note);
    if (note === null) return;
    const box = key.getBoundingClientRect();
    const depth = Math.min(1, Math.max(0, (clientY - box.top) / box.height));
    this.#voices.press("touch", note, SOFT + (1 - SOFT) * depth);
  }

  #lift(pointerId) {
    const note = this.#fingers.get(pointerId);
    this.#fingers.delete(pointerId);
    if (note !== undefined && note !== null && ![...this.#fingers.values()].includes(note)) {
      this.#voices.release("touch", note);
    }
  }

  #listenToKeys() {
    this.#root.addEventListener("keydown", (event) => this.#onKey(event));
    this.#root.addEventListener("keyup", (event) => {
      if (event.key !== " " && event.key !== "Enter") return;
      event.preventDefault(); // of a click
      this.#voices.release("focus", Number(event.target.dataset.note));
    });
    this.#root.addEventListener("focusin", ({ target }) => {
      for (const key of this.#keys.values()) key.tabIndex = key === target ? 0 : -1;
    });
    this.#root.addEventListener("focusout", () => this.#voices.releaseAll("focus"));
    // a click that neither a pointer nor a key made is a screen reader's
    this.#root.addEventListener("click", ({ target, detail }) => detail || this.#tap(target.closest(".key")));
    addEventListener("keydown", (event) => this.#onLetter(event));
    addEventListener("keyup", ({ code }) => {
      if (!this.#typed.has(code)) return;
      this.#voices.release("typed", this.#typed.get(code));
      this.#typed.delete(code);
    });
  }

  /** Arrows go from key to key, Space and Enter play the one that is reached. */
  #onKey(event) {
    const note = Number(event.target.dataset.note);
    if (event.key === " " || event.key === "Enter") {
      event.preventDefault();
      if (!event.repeat) this.#voices.press("focus", note);
      return;
    }
    const ends = { Home: this.#first, End: this.#first + 12 * this.#octaves };
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowUp: 12, ArrowDown: -12 };
    const next = this.#keys.get(ends[event.key] ?? note + steps[event.key]);
    if (!next) return;
    event.preventDefault();
    next.focus();
  }

  #tap(key) {
    if (!key) return;
    const note = Number(key.dataset.note);
    this.#voices.press("tap", note);
    setTimeout(() => this.#voices.release("tap", note), TAP_MS);
  }

  #onLetter(event) {
    const { code, repeat, target } = event;
    if (repeat || event.ctrlKey || event.metaKey || event.altKey || isWriting(target)) return;
    if (code === DOWN || code === UP) return this.shift(code === UP ? 1 : -1);
    const step = CODES.indexOf(code);
    if (step < 0 || this.#typed.has(code)) return;
    event.preventDefault(); // Firefox would look for the text on the page
    this.#typed.set(code, this.#octave + step);
    this.#voices.press("typed", this.#octave + step);
  }
}

function whitesBelow(note) {
  return 7 * Math.floor(note / 12) + [0, 1, 1, 2, 2, 3, 4, 4, 5, 5, 6, 6][note % 12];
}

function nameOf(note) {
  return `${NAMES[note % 12]} ${Math.floor(note / 12) - 1}`;
}

function label(kind, text) {
  const span = document.createElement("span");
  span.className = kind;
  span.textContent = text;
  span.ariaHidden = "true";
  return span;
}

function isWriting(target) {
  return target instanceof HTMLSelectElement || (target instanceof HTMLInputElement && !["range", "radio"].includes(target.type));
}
