// What can be steered: model, instrument, temperature, bend, lead, as /v1/models tells their ranges.

const BEND_CENTS = 200; // each way, as of a pitch wheel
const RAMP_MS = 20; // from one position of a slider to the next
const VOICES = 4; // of a session
const LEADS_MS = [40, 60, 80, 100, 150, 200, 300, 500, 800, 1000];
const MOVES = /^(Arrow|Page|Home|End)/; // keys that move a slider
const ENCODING = { encoding: "pcm_s16le", frame_ms: 20 };

/**
 * Events: `control` (detail: {name: value}), to be sent on; `session`, where only a new session can follow;
 * `instrument` (detail: as /v1/models tells of it).
 */
export class Controls extends EventTarget {
  #root;
  #models = [];
  #model = null;
  #values = { temperature: 1, bend: 0 };
  #instrument = null;
  #lead = 200;
  #due = {};
  #timer = null;

  /** root: holds inputs named model, temperature, bend and lead, and a fieldset called instruments. */
  constructor(root) {
    super();
    this.#root = root;
    const { temperature, bend, lead, model } = root.elements;
    root.addEventListener("submit", (event) => event.preventDefault());
    temperature.addEventListener("input", () => this.#steer("temperature", Number(temperature.value)));
    bend.addEventListener("input", () => this.#steer("bend", Number(bend.value)));
    for (const end of ["pointerup", "pointercancel"]) bend.addEventListener(end, () => this.#springBack());
    bend.addEventListener("keyup", ({ code }) => MOVES.test(code) && this.#springBack());
    lead.max = LEADS_MS.length - 1;
    lead.value = LEADS_MS.indexOf(this.#lead);
    lead.addEventListener("input", () => this.#tellLead());
    lead.addEventListener("change", () => this.#begin());
    model.addEventListener("change", () => this.#choose(model.value, true));
    this.#tellLead();
  }

  /** The model that is played. */
  get model() {
    return this.#model;
  }

  /** The fields of session.start that a new session has. */
  describe() {
    const controls = { ...this.#values };
    if (this.#instrument) controls.instrument = this.#instrument.name;
    const voices = Math.min(VOICES, this.#model.live_voices || VOICES);
    return { model: this.#model.id, voices, format: ENCODING, mode: "live", lead_ms: this.#lead, controls };
  }

  /** Offer these models, as /v1/models lists them. */
  offer(models) {
    this.#models = models;
    const { model } = this.#root.elements;
    model.replaceChildren(...models.map(({ id }) => new Option(id, id)));
    model.closest("label").hidden = models.length < 2;
    this.#choose(models[0].id, false);
    for (const input of this.#root.querySelectorAll("input, select")) input.disabled = false;
  }

  /** Move controls from elsewhere, such as a pitch wheel or a pedal. */
  set(values) {
    for (const [name, value] of Object.entries(values)) {
      if (!this.#model?.controls.some((control) => control.name === name)) continue;
      const input = this.#root.elements[name];
      if (input) input.value = value;
      this.#steer(name, value);
    }
  }

  #choose(id, anew) {
    this.#model = this.#models.find((model) => model.id === id);
    const { temperature, bend } = this.#root.elements;
    const spec = this.#model.controls.find(({ name }) => name === "temperature");
    [temperature.min, temperature.max, temperature.value] = [spec.low, spec.high, spec.default];
    [bend.min, bend.max, bend.value] = [-BEND_CENTS, BEND_CENTS, 0];
    this.#values = { temperature: spec.default, bend: 0 };
    this.#tell();
    this.#offerInstruments();
    if (anew) this.dispatchEvent(new Event("session"));
  }

  #offerInstruments() {
    const { instruments } = this.#root.elements;
    const choices = this.#model.instruments.map((instrument, i) => {
      const choice = document.createElement("label");
      const input = document.createElement("input");
      [input.type, input.name, input.value, input.checked] = ["radio", "instrument", instrument.name, i === 0];
      input.addEventListener("change", () => this.#play(instrument));
      const name = document.createElement("span");
      name.textContent = instrument.name;
      choice.append(input, name);
      return choice;
    });
    instruments.querySelector("div").replaceChildren(...choices);
    instruments.hidden = choices.length < 2;
    this.#instrument = null;
    if (choices.length) this.#play(this.#model.instruments[0]);
  }

  #play(instrument) {
    this.#instrument = instrument;
    this.dispatchEvent(new CustomEvent("instrument", { detail: instrument }));
    this.#send({ instrument: instrument.name });
  }

  #steer(name, value) {
    this.#values[name] = value;
    this.#tell();
    // what a slider passes over in one ramp is said at once
    this.#due[name] = value;
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#send(this.#due);
      this.#due = {};
    }, RAMP_MS);
  }

  #springBack() {
    if (this.#values.bend === 0) return;
    this.#root.elements.bend.value = 0;
    this.#steer("bend", 0);
  }

  #begin() {
    this.#tellLead();
    this.dispatchEvent(new Event("session"));
  }

  #send(params) {
    this.dispatchEvent(new CustomEvent("control", { detail: { params, ramp_ms: RAMP_MS } }));
  }

  #tell() {
    const { temperature, bend } = this.#values;
    this.#write("temperature", temperature.toFixed(2), `${temperature.toFixed(2)}`);
    this.#write("bend", `${bend > 0 ? "+" : ""}${Math.round(bend)} cents`, `${Math.round(bend)} cents`);
  }

  #tellLead() {
    this.#lead = LEADS_MS[Number(this.#root.elements.lead.value)];
    this.#write("lead", `${this.#lead} ms`, `${this.#lead} milliseconds`);
  }

  #write(name, shown, said) {
    const input = this.#root.elements[name];
    input.setAttribute("aria-valuetext", said);
    input.closest("label").querySelector("output").value = shown;
    const [low, high] = [Number(input.min), Number(input.max)];
    input.style.setProperty("--filled", `${(100 * (Number(input.value) - low)) / (high - low || 1)}%`);
  }
}
