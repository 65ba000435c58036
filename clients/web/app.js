// The instrument put together: keys to voices to the server, its audio to the sound card, its figures to the panel.

import { Connection } from "./connection.js";
import { Controls } from "./controls.js";
import { Keyboard } from "./keyboard.js";
import { LatencyPanel } from "./latency.js";
import { Midi } from "./midi.js";
import { Notice } from "./notice.js";
import { Player } from "./player.js";
import { Scope, marks } from "./scope.js";
import { KeyNeeded, Server } from "./server.js";
import { Voices } from "./voices.js";

const RETRY_S = 3;
let retry = null;
const at = (id) => document.getElementById(id);

const server = new Server();
const controls = new Controls(at("controls"));
export const player = new Player();
export const connection = new Connection(server, () => controls.describe());
const voices = new Voices(connection);
const keyboard = new Keyboard(at("piano"), voices, (name) => (at("octave").textContent = name));
const notice = new Notice(at("notice"), at("lamp"), connection, player);
const panel = new LatencyPanel(at("latency"));
new Scope(at("wave"), at("spectrogram"), player);

/** Ask the server what it has, make the sound card ready for it, and begin where sound may begin by itself. */
async function open() {
  clearTimeout(retry);
  try {
    controls.offer(await server.models());
    notice.mend();
    lock(null);
    at("about").textContent = controls.model.description;
    await tune();
  } catch (error) {
    if (error instanceof KeyNeeded) lock(error.message);
    else if (error.retryAfterS !== undefined) {
      notice.fail(`No instrument yet: ${error.message}.`, ["Try again", open]);
      retry = setTimeout(open, 1000 * (error.retryAfterS ?? RETRY_S));
    } else notice.fail(`No sound: ${error.message}.`, ["Try again", open]);
  }
}

/** Be ready for the model's sample rate. */
async function tune() {
  await player.prepare(controls.model.sample_rate);
  if (player.running) connection.wake();
}

function steer(params, ramp_ms = 0) {
  connection.play({ type: "control.update", params, ramp_ms });
}

/** Ask for the key, saying why; null: no more. */
function lock(why) {
  at("lock").hidden = why === null;
  at("lock-why").textContent = why === null ? "" : `This server plays for those who have a key: ${why}.`;
  if (why !== null) at("key").focus();
}

at("lock").addEventListener("submit", (event) => {
  event.preventDefault();
  server.unlock(at("key").value.trim());
  at("key").value = "";
  if (connection.state.name === "locked") connection.retry(); // all is ready, and stays as it was set
  else open();
});

player.addEventListener("state", () => {
  const { running } = player;
  player.rest(!running);
  connection.rest(!running);
  if (running) connection.wake();
});
player.addEventListener("report", ({ detail }) => {
  connection.report(detail);
  panel.hear(detail);
});

connection.addEventListener("session", ({ detail: { created, resumed } }) => {
  if (resumed) return player.link();
  player.begin(created.lead_ms);
  panel.begin();
  steer(controls.describe().controls); // what was moved since the session was asked for
});
connection.addEventListener("state", () => {
  if (connection.open && !player.running) connection.rest(true);
  lock(connection.state.name === "locked" ? connection.state.message : null);
});
connection.addEventListener("audio", ({ detail }) => player.take(detail));
connection.addEventListener("message", ({ detail }) => {
  if (detail.type === "stats") panel.take(detail);
  else if (detail.type === "server.draining") notice.drains(detail.deadline_s);
  else if (detail.type === "audio.done") player.complete();
});

controls.addEventListener("control", ({ detail }) => steer(detail.params, detail.ramp_ms));
controls.addEventListener("instrument", ({ detail }) => (keyboard.range = [detail.low, detail.high]));
controls.addEventListener("session", async () => {
  at("about").textContent = controls.model.description;
  await tune();
  connection.restart();
});

// a press is the touch that a browser waits for before it lets sound begin
voices.addEventListener("change", ({ detail }) => {
  if (!detail.held || !controls.model) return;
  if (!player.running) player.start();
  // a session needs somewhere to play; why there is none was told already
  player.prepare(controls.model.sample_rate).then(() => connection.wake(), () => {});
});

at("octave-down").addEventListener("click", () => keyboard.shift(-1));
at("octave-up").addEventListener("click", () => keyboard.shift(1));

at("midi").hidden = !Midi.there;
at("midi").addEventListener("click", async () => {
  const midi = new Midi(voices, (values) => controls.set(values));
  try {
    await midi.connect((names) => (at("midi").textContent = names.length ? `MIDI: ${names.join(", ")}` : "MIDI: plug in a keyboard"));
  } catch {
    at("midi").textContent = "MIDI was not allowed";
  }
});

for (const { hz, height } of marks()) {
  const mark = document.createElement("span");
  mark.textContent = hz < 1000 ? `${hz} Hz` : `${hz / 1000} kHz`;
  mark.style.setProperty("--height", `${100 * height}%`);
  at("marks").append(mark);
}

export const opened = open();
