"use strict";
/* What follows from a state {t, w, threshold} of one neuron: its spike, its gradient, and what a move has done to them. */

/* All that the page shows of a state, computed by temporal.js. */
function solve({t, w, threshold}) {
  const z_in = t.map(Math.exp);
  const {z_out, cache} = temporal.forward(z_in, w, 1, threshold);
  const {dz_in, dw} = temporal.backward([1], cache);
  const z = z_out[0],
    fires = z < Infinity;
  return {
    z_in,
    z_out: z,
    t_out: Math.log(z),
    fires,
    margin: cache.margin[0],
    z_bound: cache.z_bound[0],
    dz_in,
    dw,
    causal: z_in.map((z_i) => fires && z_i < cache.z_bound[0]),
    dt_dt: Array.from(dz_in, (d, i) => (fires ? (d * z_in[i]) / z : 0)), // dt_out/dt_i = (z_i/z_out) dz_out/dz_i
    dt_dw: Array.from(dw, (d) => (fires ? d / z : 0)),
  }; // dt_out/dw_i = (1/z_out) dz_out/dw_i
}

/* The place between two states where 1/z_out jumps, by bisection towards the larger difference; null where it is continuous. */
function findJump(from, to) {
  const mix = (s) => ({
    t: from.t.map((x, i) => x + s * (to.t[i] - x)),
    w: from.w.map((x, i) => x + s * (to.w[i] - x)),
    threshold: from.threshold + s * (to.threshold - from.threshold),
  });
  const at = (s) => 1 / solve(mix(s)).z_out;
  let a = 0,
    b = 1,
    ya = at(0),
    yb = at(1);
  if (from.t.length !== to.t.length || Math.abs(ya - yb) < 1e-9) return null;
  for (let k = 0; k < 50; k++) {
    const m = (a + b) / 2,
      ym = at(m);
    if (Math.abs(ym - ya) >= Math.abs(yb - ym)) [b, yb] = [m, ym];
    else [a, ya] = [m, ym];
  }
  return Math.abs(ya - yb) > 1e-6 ? {state: mix(b), before: -Math.log(ya), after: -Math.log(yb)} : null;
}

/* What a move has brought: a jump, a kink (the causal set has changed) or nothing of note. */
function classify(before, after, moved) {
  const jump = findJump(before, after),
    old = solve(before),
    now = solve(after);
  if (jump) return {kind: "jump", moved, ...jump};
  const changed = old.causal.findIndex((c, i) => c !== now.causal[i]);
  if (old.fires !== now.fires) return {kind: now.fires ? "fires" : "silent"};
  return changed >= 0 ? {kind: "kink", moved: changed, entered: now.causal[changed]} : {kind: "smooth"};
}
