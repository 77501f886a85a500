"use strict";
/* Recorded weights, and what the network does with them. */

const [, N_HIDDEN, N_OUT] = DATA.model.split("-").map(Number),
  COARSE = 72,
  FINE = 216;
const CLASSES = ["yin", "yang", "dot"];

/* Numbers from base64 of little-endian float32. */
function decode(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0)),
    view = new DataView(bytes.buffer);
  return Float64Array.from({length: bytes.length / 4}, (_, k) => view.getFloat32(4 * k, true));
}

const FRAMES = DATA.frames.map((f) => ({update: f.update, loss: f.loss, accuracy: f.accuracy, w1: decode(f.w1), w2: decode(f.w2)}));
const POINTS = (() => {
  const x = decode(DATA.x);
  return Array.from(DATA.y, (label, k) => ({x: x[2 * k], y: x[2 * k + 1], label: Number(label)}));
})();

/* Input spikes of a point: large values spike early, z = late^(1 - value). */
function encodePoint(x, y) {
  return [x, y, 1 - x, 1 - y].map((value) => Math.exp((1 - value) * Math.log(DATA.late)));
}

/* A layer with its bias, an input at z = 1 behind all others. */
const layer = (z, w, n_out) => temporal.forward([...z, 1], w, n_out).z_out;

function run(frame, x, y) {
  const z_in = encodePoint(x, y),
    z_hidden = layer(z_in, frame.w1, N_HIDDEN);
  return {z_in, z_hidden, z_out: layer(z_hidden, frame.w2, N_OUT)};
}

/* The class whose output is first, -1 if none fires, and how much later the second comes. */
function decide(z_out) {
  let best = 0;
  for (let k = 1; k < N_OUT; k++) if (z_out[k] < z_out[best]) best = k;
  const others = Math.min(...z_out.filter((_, k) => k !== best));
  return z_out[best] === Infinity ? [-1, 0] : [best, Math.log(others / z_out[best])];
}

/* (L2) cross-entropy of softmax(-beta t), where a silent output counts as z = 1000, or as a power of two behind a later spike. */
function loss(z_out, label) {
  const latest = Math.max(0, ...Array.from(z_out).filter((z) => z < Infinity)),
    silent = latest < 1000 ? 1000 : 2 ** (Math.floor(Math.log2(latest)) + 2),
    s = Array.from(z_out, (z) => -DATA.beta * Math.log(z < Infinity ? z : silent)),
    top = Math.max(...s);
  return Math.log(s.reduce((sum, v) => sum + Math.exp(v - top), 0)) + top - s[label];
}

/* Judge the test points at a moment; kept, for the reader comes back. */
function score(frame) {
  if (!frame.scores) {
    const outs = POINTS.map((p) => run(frame, p.x, p.y).z_out),
      right = outs.map((z, k) => decide(z)[0] === POINTS[k].label);
    frame.scores = {
      right,
      accuracy: right.filter(Boolean).length / POINTS.length,
      loss: outs.reduce((sum, z, k) => sum + loss(z, POINTS[k].label), 0) / POINTS.length,
    };
  }
  return frame.scores;
}

/* Decisions on a grid of n x n points, rows from the top; from row `from` until `due` (ms), so that the page stays responsive. */
function regions(frame, n, due = Infinity) {
  const kept = frame[n] || (frame[n] = {rows: 0, kind: new Int8Array(n * n), gap: new Float32Array(n * n)});
  for (; kept.rows < n && performance.now() < due; kept.rows++) {
    for (let c = 0; c < n; c++) {
      const [kind, gap] = decide(run(frame, (c + 0.5) / n, 1 - (kept.rows + 0.5) / n).z_out),
        k = kept.rows * n + c;
      kept.kind[k] = kind;
      kept.gap[k] = gap;
    }
  }
  return kept;
}
