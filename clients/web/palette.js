// The colours of the style sheet, for canvases: read again where the page turns from light to dark.

const NAMES = ["ground", "ink", "faint", "brass", "alarm"];
const DARK = matchMedia("(prefers-color-scheme: dark)");

let colours = null;
DARK.addEventListener("change", () => {
  colours = null;
});

/** {ground, ink, faint, brass, alarm}, as CSS colours, and `dark`. The object changes where the colours do. */
export function palette() {
  if (colours === null) {
    const style = getComputedStyle(document.documentElement);
    colours = Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
    colours.dark = DARK.matches;
  }
  return colours;
}

/** A canvas's context, scaled so that one unit is one CSS pixel; its backing store follows its box. */
export function fitted(canvas) {
  const scale = Math.min(2, devicePixelRatio);
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const [across, down] = [Math.round(width * scale), Math.round(height * scale)];
  const resized = canvas.width !== across || canvas.height !== down;
  if (resized) [canvas.width, canvas.height] = [across, down];
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  return { context, width, height, resized };
}
