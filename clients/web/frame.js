// The binary frames of ostinato.v1: a 16-byte little-endian header, then whole 16-bit samples.

const HEADER_BYTES = 16;
const VERSION = 1;
const FULL_SCALE = 32767;

/** {sequence, first, samples: Float32Array in [-1, 1]}. Throws RangeError for what is no such frame. */
export function parseFrame(buffer) {
  if (buffer.byteLength < HEADER_BYTES) throw new RangeError(`a frame of ${buffer.byteLength} bytes holds no header`);
  const header = new DataView(buffer, 0, HEADER_BYTES);
  const version = header.getUint8(0);
  if (version !== VERSION) throw new RangeError(`version: ${version} is not ${VERSION}`);
  if (buffer.byteLength % 2) throw new RangeError(`a frame of ${buffer.byteLength} bytes splits a sample`);
  const pcm = new DataView(buffer, HEADER_BYTES);
  const samples = new Float32Array(pcm.byteLength / 2);
  for (let i = 0; i < samples.length; i++) samples[i] = pcm.getInt16(2 * i, true) / FULL_SCALE;
  return { sequence: header.getUint32(4, true), first: Number(header.getBigUint64(8, true)), samples };
}
