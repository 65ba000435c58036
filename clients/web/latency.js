// The latency panel: real-time factor on a time line with the line of 1.0, and what a sample takes of its 22.676 µs.

import { fitted, palette } from "./palette.js";

const SECONDS = 60; // of the time line
const TOP = 1.25; // real-time factor at its upper edge

export class LatencyPanel {
  #root;
  #canvas;
  #points = []; // {at: s, rtf}
  #underruns = 0; // of sessions before this one
  #ofSession = 0;

  /** root: holds a canvas, meters and figures that are named by data-figure. */
  constructor(root) {
    this.#root = root;
    this.#canvas = root.querySelector("canvas");
    setInterval(() => document.hidden || this.#draw(), 1000);
    new ResizeObserver(() => this.#draw()).observe(this.#canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
  }

  /** What the server measured in the last second. */
  take(stats) {
    const { rtf, step_us_p50: p50, step_us_p99: p99, ttfa_ms: ttfa, lead_ms: lead, batch, budget_us: budget } = stats;
    if (rtf != null) this.#points.push({ at: performance.now() / 1000, rtf });
    this.#write("rtf", rtf, (value) => value.toFixed(3));
    this.#write("ttfa", ttfa, (value) => `${value.toFixed(1)} ms`);
    this.#write("p50", p50, (value) => `${value.toFixed(2)} µs`);
    this.#write("p99", p99, (value) => `${value.toFixed(2)} µs`);
    this.#write("lead", lead, (value) => `${Math.round(value)} ms`);
    this.#write("streams", batch, String);
    this.#write("budget", budget, (value) => `${value.toFixed(3)} µs`);
    this.#fill("p50", p50, budget);
    this.#fill("p99", p99, budget);
    this.#root.querySelector("[data-figure=rtf]").classList.toggle("late", rtf >= 1);
    this.#draw();
  }

  /** What the sound card's side counted. */
  hear({ underruns, buffered_ms }) {
    this.#ofSession = underruns;
    this.#write("underruns", this.#underruns + underruns, String);
    this.#write("buffered", buffered_ms, (value) => `${Math.round(value)} ms`);
  }

  /** Another session begins, whose counts start at 0. */
  begin() {
    this.#underruns += this.#ofSession;
    this.#ofSession = 0;
  }

  #write(name, value, told) {
    const figure = this.#root.querySelector(`[data-figure=${name}]`);
    // what was not measured in a second of silence stays as it was
    if (value != null && figure) figure.textContent = told(value);
  }

  #fill(name, us, budget) {
    if (us == null) return;
    const meter = this.#root.querySelector(`[data-meter=${name}]`);
    meter.style.setProperty("--filled", `${Math.min(100, (100 * us) / budget)}%`);
    meter.classList.toggle("late", us > budget);
  }

  #draw() {
    const { context, width, height } = fitted(this.#canvas);
    const { brass, faint, ink, alarm } = palette();
    const now = performance.now() / 1000;
    this.#points = this.#points.filter(({ at }) => at > now - SECONDS - 2);
    const x = (at) => width * (1 - (now - at) / SECONDS);
    const y = (rtf) => height * (1 - Math.min(rtf, TOP) / TOP);
    context.clearRect(0, 0, width, height);
    this.#rule(context, width, y(0.5), faint, [2, 5]);
    for (const run of runs(this.#points)) this.#area(context, run, x, y, height, brass);
    this.#rule(context, width, y(1), alarm, []);
    context.font = "11px system-ui, sans-serif";
    context.fillStyle = alarm;
    context.fillText("1.0: real time", 6, y(1) - 6);
    context.fillStyle = ink;
    context.globalAlpha = 0.6;
    context.fillText("0.5", 6, y(0.5) - 5);
    context.globalAlpha = 1;
  }

  #rule(context, width, y, colour, dashes) {
    context.setLineDash(dashes);
    context.strokeStyle = colour;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(0, Math.round(y) + 0.5);
    context.lineTo(width, Math.round(y) + 0.5);
    context.stroke();
    context.setLineDash([]);
  }

  #area(context, run, x, y, height, colour) {
    context.beginPath();
    context.moveTo(x(run[0].at - 1), height);
    context.lineTo(x(run[0].at - 1), y(run[0].rtf));
    for (const { at, rtf } of run) context.lineTo(x(at), y(rtf));
    context.lineTo(x(run.at(-1).at), height);
    context.fillStyle = colour;
    context.globalAlpha = 0.28;
    context.fill();
    context.globalAlpha = 1;
    context.beginPath();
    context.moveTo(x(run[0].at - 1), y(run[0].rtf));
    for (const { at, rtf } of run) context.lineTo(x(at), y(rtf));
    context.strokeStyle = colour;
    context.lineWidth = 2;
    context.stroke();
  }
}

/** Points in a row; a second in which nothing was drawn parts them. */
function runs(points) {
  const found = [];
  for (const point of points) {
    const run = found.at(-1);
    if (run && point.at - run.at(-1).at < 1.8) run.push(point);
    else found.push([point]);
  }
  return found;
}
