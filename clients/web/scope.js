// What is heard, to be seen: the waveform of the moment, and a spectrogram that moves to the left.
// Where less motion is asked for, the spectrogram stands still and is written over from left to right.

import { fitted, palette } from "./palette.js";

const [LOW_HZ, HIGH_HZ] = [55, 16_000];
const ROWS = 160;
const SHOWN = 1024; // samples of the waveform: 23 ms
const LEAST_PEAK = 0.1; // that fills the height; below, the waveform is drawn smaller
const CALMING = 0.985; // of the peak from one picture to the next, as it falls
const STEP_MS = 33; // between two columns
const CALM_STEP_MS = 250; // where less motion is asked for
const COLUMN = 2; // px
const MARKS_HZ = [110, 440, 1760, 7040];

const CALM = matchMedia("(prefers-reduced-motion: reduce)");

export class Scope {
  #wave;
  #spectrogram;
  #player;
  #samples = new Float32Array(4096);
  #levels = new Uint8Array(2048);
  #rate = 0; // Hz, of the bins
  #bins = null;
  #peak = LEAST_PEAK;
  #inks = null;
  #drawnWith = null;
  #column = 0;
  #at = 0;
  #silent = false;
  #blank = 0; // columns of silence, in a row

  /** Two canvases, and the player that is listened to. */
  constructor(wave, spectrogram, player) {
    this.#wave = wave;
    this.#spectrogram = spectrogram;
    this.#player = player;
    requestAnimationFrame((now) => this.#tick(now));
  }

  #tick(now) {
    requestAnimationFrame((next) => this.#tick(next)); // the browser calls none while the page is hidden
    if (now - this.#at < (CALM.matches ? CALM_STEP_MS : STEP_MS)) return;
    this.#at = now;
    const { analyser, running } = this.#player;
    if (analyser && running) analyser.getFloatTimeDomainData(this.#samples);
    else this.#samples.fill(0);
    this.#drawWave();
    if (analyser && running) {
      analyser.getByteFrequencyData(this.#levels);
      this.#drawColumn(analyser);
    } else this.#clearIfNew();
  }

  #drawWave() {
    const start = this.#trigger();
    const peak = this.#samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    if (!peak && this.#silent && !this.#outdated(this.#wave)) return;
    this.#silent = !peak;
    this.#peak = Math.max(LEAST_PEAK, peak, CALMING * this.#peak);
    const { context, width, height } = fitted(this.#wave);
    context.clearRect(0, 0, width, height);
    context.strokeStyle = palette().brass;
    context.lineWidth = 1.5;
    context.lineJoin = "round";
    context.beginPath();
    for (let i = 0; i < SHOWN; i += 2) {
      const y = height / 2 - (this.#samples[start + i] / this.#peak) * (height / 2 - 3);
      context.lineTo((i / (SHOWN - 2)) * width, y);
    }
    context.stroke();
  }

  /** Where the waveform rises through zero, so that a steady note stands still. */
  #trigger() {
    const last = this.#samples.length - SHOWN;
    for (let i = last; i > 1; i--) if (this.#samples[i - 1] < 0 && this.#samples[i] >= 0) return i;
    return last;
  }

  #drawColumn(analyser) {
    this.#clearIfNew();
    this.#blank = this.#levels.some((level) => level > 0) ? 0 : this.#blank + 1;
    if (this.#blank * COLUMN > this.#spectrogram.clientWidth) return; // nothing is left to be moved
    const { context, width, height } = fitted(this.#spectrogram);
    if (analyser.context.sampleRate !== this.#rate) {
      this.#rate = analyser.context.sampleRate;
      this.#bins = rows(analyser);
    }
    let x = width - COLUMN;
    if (CALM.matches) {
      x = this.#column = (this.#column + COLUMN) % Math.max(COLUMN, Math.floor(width / COLUMN) * COLUMN);
    } else {
      const scale = this.#spectrogram.width / width;
      context.drawImage(
        this.#spectrogram, COLUMN * scale, 0, this.#spectrogram.width - COLUMN * scale, this.#spectrogram.height,
        0, 0, width - COLUMN, height,
      );
    }
    const tall = height / ROWS;
    context.fillStyle = this.#inks[0];
    context.fillRect(x, 0, COLUMN, height);
    for (let row = 0; row < ROWS; row++) {
      const [from, to] = this.#bins[row];
      let level = 0;
      for (let bin = from; bin <= to; bin++) level = Math.max(level, this.#levels[bin]);
      if (!level) continue;
      context.fillStyle = this.#inks[level];
      context.fillRect(x, height - (row + 1) * tall, COLUMN, tall + 0.5);
    }
  }

  #clearIfNew() {
    if (!this.#outdated(this.#spectrogram) && this.#drawnWith === palette()) return;
    this.#drawnWith = palette();
    this.#inks = inks(palette());
    const { context, width, height } = fitted(this.#spectrogram);
    context.fillStyle = this.#inks[0];
    context.fillRect(0, 0, width, height);
  }

  #outdated(canvas) {
    return canvas.width !== Math.round(canvas.clientWidth * Math.min(2, devicePixelRatio));
  }
}

/** The frequencies that marks stand at, and how high: {hz, share of the height}. */
export function marks() {
  return MARKS_HZ.map((hz) => ({ hz, height: Math.log(hz / LOW_HZ) / Math.log(HIGH_HZ / LOW_HZ) }));
}

/** The bins of each row, on a logarithmic scale. */
function rows(analyser) {
  const width = analyser.context.sampleRate / analyser.fftSize;
  const edge = (row) => (LOW_HZ * (HIGH_HZ / LOW_HZ) ** (row / ROWS)) / width;
  return Array.from({ length: ROWS }, (_, row) => {
    const from = Math.round(edge(row));
    return [from, Math.max(from, Math.round(edge(row + 1)) - 1)];
  });
}

/** 256 colours from the ground over brass to ink (in the dark: to light). */
function inks({ ground, brass, ink }) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [256, 1];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const gradient = context.createLinearGradient(0, 0, 256, 0);
  for (const [at, colour] of [[0, ground], [0.12, ground], [0.65, brass], [1, ink]]) gradient.addColorStop(at, colour);
  context.fillStyle = gradient;
  context.fillRect(0, 0, 256, 1);
  const { data } = context.getImageData(0, 0, 256, 1);
  return Array.from({ length: 256 }, (_, i) => `rgb(${data[4 * i]} ${data[4 * i + 1]} ${data[4 * i + 2]})`);
}
