"use strict";
/* The integrate-and-fire neuron: the equations of docs/derivations/integrate-and-fire.md, under the tags and names of
   pysnn/reference/integrate_fire.py. One neuron; the reset closes the step in which the spike falls (timing "same"). */
const integrate_fire = {

  /* Run over the steps of `current`; v[t] is the potential that step t leaves. */
  forward(current, threshold = 1, v_init = 0, rule = {reset: "subtract", fire: ">="}) {
    const n_steps = current.length;
    const u = new Float64Array(n_steps), v = new Float64Array(n_steps), spikes = new Float64Array(n_steps);
    let state = v_init, counts = 0;
    for (let t = 0; t < n_steps; t++) {
      u[t] = state + current[t];                                              // (I1) integrate,
      const fired = rule.fire === ">=" ? u[t] >= threshold : u[t] > threshold;  // (I1) and fire
      const after = rule.reset === "subtract" ? u[t] - threshold : 0;
      state = fired ? after : u[t];                                           // (I2)
      v[t] = state;
      spikes[t] = fired ? 1 : 0;
      counts += spikes[t];
    }
    return {u, v, spikes, counts, v_final: state};
  },

  /* Spikes of n_steps steps of the constant current a. */
  counts(a, n_steps, threshold, v_init, rule) {
    return integrate_fire.forward(new Float64Array(n_steps).fill(a), threshold, v_init, rule).counts;
  },

  /* Steps from V = 0 to a spike, of a and theta as written, with at most six decimals. */
  wait(a, threshold, fire) {
    const steps = Math.round(1e6 * threshold) / Math.round(1e6 * a);
    return fire === ">=" ? Math.ceil(steps) : Math.floor(steps) + 1;
  },

  /* What the closed forms promise for V_0 = 0 and exact sums. */
  promised(a, n_steps, threshold, rule) {
    if (!(a > 0)) return 0;
    if (rule.reset === "zero") return Math.floor(n_steps / integrate_fire.wait(a, threshold, rule.fire));   // (I4)
    const n = n_steps * Math.round(1e6 * a) / Math.round(1e6 * threshold);    // (I5)
    return Math.min(n_steps, rule.fire === ">=" ? Math.floor(n) : Math.ceil(n) - 1);
  },

  /* The ReLU that the rate stands for, divided by the threshold and cut off at one spike a step. */
  clipped_relu(a, threshold) {
    return Math.min(Math.max(a / threshold, 0), 1);
  },
};
