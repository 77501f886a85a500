"use strict";
/* The leaky neuron: equations (M2), (M3) of docs/course/leaky-neuron.md and (D2), (D3), (D5) of docs/derivations/leaky.md, under the names
   of pysnn/reference/leaky.py. One neuron, reset to zero at the end of the step, gain 1 - beta. */
const leaky = {

  /* Run over n_steps steps of the constant drive r_i = R I; u[t] is held against the threshold. */
  forward(r_i, n_steps, beta, threshold) {
    const u = new Float64Array(n_steps), spikes = new Float64Array(n_steps);
    let v = 0;
    for (let t = 0; t < n_steps; t++) {
      u[t] = beta * v + (1 - beta) * r_i;                                     // (D2)
      spikes[t] = u[t] >= threshold ? 1 : 0;
      v = spikes[t] ? 0 : u[t];                                               // (D3)
    }
    return {u, spikes};
  },

  beta: (tau, dt) => Math.exp(-dt / tau),                                     // (M2)

  /* Time from 0 to the threshold, in the unit of tau; Infinity below the rheobase. */
  interval(r_i, tau, threshold) {
    return r_i > threshold ? tau * Math.log(r_i / (r_i - threshold)) : Infinity;      // (M3)
  },

  /* The same in whole steps; a tiny part of a step that is rounding does not count. */
  steps(r_i, tau, threshold, dt) {
    return Math.max(1, Math.ceil(leaky.interval(r_i, tau, threshold) / dt - 1e-9));   // (D5)
  },

  /* Potential at time t behind the last spike. */
  potential: (t, r_i, tau) => r_i * (1 - Math.exp(-t / tau)),                 // (M1)
};
