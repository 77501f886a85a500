"use strict";
/* The temporal neuron: the equations of docs/derivations/temporal.md, under the tags and names of pysnn/reference/temporal.py.
   Times t are in units of tau; z = exp(t); Infinity means no spike. One sample at a time: z_in holds N_in numbers, w holds
   N_in * n_out, row by row (w[i * n_out + j] leads from input i to neuron j). */
const temporal = {

  /* (T2) V/tau at time t. */
  potential(t, t_in, w) {
    let v = 0;
    for (let i = 0; i < w.length; i++) {
      if (t_in[i] < t) v -= w[i] * Math.expm1(t_in[i] - t);
    }
    return v;
  },

  /* Indices of the inputs that spike, in the order of time; equal times keep their order. */
  order(z_in) {
    const order = [];
    for (let i = 0; i < z_in.length; i++) {
      if (z_in[i] === Infinity) continue;
      let k = order.length;
      order.push(i);
      while (k > 0 && z_in[order[k - 1]] > z_in[i]) {
        order[k] = order[k - 1];
        k -= 1;
      }
      order[k] = i;
    }
    return order;
  },

  /* When each neuron fires. */
  forward(z_in, w, n_out, threshold = 1) {
    const order = temporal.order(z_in), n = order.length;
    const z_out = new Float64Array(n_out).fill(Infinity);
    const margin = new Float64Array(n_out).fill(1), z_bound = new Float64Array(n_out);
    for (let j = 0; j < n_out; j++) {
      let sum_w = 0, sum_wz = 0;
      for (let k = 0; k < n; k++) {
        const i = order[k], z_next = k + 1 < n ? z_in[order[k + 1]] : Infinity;
        sum_w += w[i * n_out + j];
        sum_wz += w[i * n_out + j] * z_in[i];
        const a = sum_w - threshold;
        if (!(a > 0)) continue;                        // (T4) the causal weights exceed the threshold
        const z = sum_wz / a;                          // (T3)
        if (!(z <= z_next)) continue;                  // (T5) before the next input arrives,
        if (!(z_in[i] < z_next)) continue;             // (T6) where inputs at one time enter together
        z_out[j] = z;                                  // (T5) the shortest valid prefix is the causal set
        margin[j] = a;
        z_bound[j] = z_next;
        break;
      }
    }
    return {z_out, cache: {z_in, w, z_out, margin, z_bound}};
  },

  /* The gradient of a loss, from that with respect to z_out. */
  backward(dz_out, cache) {
    const {z_in, w, z_out, margin, z_bound} = cache, n_out = z_out.length;
    const dz_in = new Float64Array(z_in.length), dw = new Float64Array(w.length);
    for (let j = 0; j < n_out; j++) {
      if (z_out[j] === Infinity) continue;
      const h = dz_out[j] / margin[j];
      for (let i = 0; i < z_in.length; i++) {
        if (!(z_in[i] < z_bound[j])) continue;         // outside the causal set
        dw[i * n_out + j] = (z_in[i] - z_out[j]) * h;  // (T7) dz_out/dw = (z_i - z_out)/(S - threshold)
        dz_in[i] += w[i * n_out + j] * h;              // (T8) dz_out/dz_in = w/(S - threshold)
      }
    }
    return {dz_in, dw};
  },

  /* What each prefix of the inputs has to say: the table from which the causal set is read off. One neuron. */
  prefixes(z_in, w, threshold = 1) {
    const order = temporal.order(z_in);
    let sum_w = 0, sum_wz = 0, decided = false;
    return order.map((i, k) => {
      const z_next = k + 1 < order.length ? z_in[order[k + 1]] : Infinity;
      sum_w += w[i];
      sum_wz += w[i] * z_in[i];
      const a = sum_w - threshold, z = a > 0 ? sum_wz / a : NaN;
      let verdict = "fires";
      if (decided) verdict = "later";
      else if (!(z_in[i] < z_next)) verdict = "tie";   // (T6)
      else if (!(a > 0)) verdict = "weak";             // (T4)
      else if (!(z <= z_next)) verdict = "late";       // (T5)
      decided = decided || verdict === "fires";
      return {i, sum_w, sum_wz, a, z, z_next, verdict};
    });
  },
};
