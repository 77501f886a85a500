"use strict";
/* How the state of one neuron is drawn. */

const RANGE = {t: [0, 4], w: [-2.5, 2.5], threshold: [0.2, 2]},
  N_MAX = 8,
  T_AXIS = [-0.3, 4.5];
const handles = [];
let scales = null;

/* The numbered spikes are kept from one drawing to the next, so that a drag and the keyboard's focus survive. */
function handle(i) {
  if (handles[i]) return handles[i];
  const g = document.createElementNS("http://www.w3.org/2000/svg", "g");
  g.innerHTML = '<circle class="hit" r="24"/><circle class="ring" r="17"/><circle class="knob" r="13"/><text y="4.5"></text>';
  g.querySelector("text").textContent = i + 1;
  g.setAttribute("tabindex", "0");
  g.setAttribute("role", "slider");
  page.holdStill(g);
  g.addEventListener("pointerdown", (e) => {
    const box = page.byId("plot").getBoundingClientRect(),
      x = e.clientX - box.left,
      y = e.clientY - box.top;
    const distance = (k) => Math.hypot(scales.t(state.t[k]) - x, scales.w(state.w[k]) - y);
    const near = state.t.map((_, k) => k).reduce((best, k) => (distance(k) < distance(best) ? k : best), i);
    const off = [x - scales.t(state.t[near]), y - scales.w(state.w[near])],
      chosen = handles[near];
    chosen.setPointerCapture(e.pointerId);
    chosen.focus({preventScroll: true});
    pick(near);
    chosen.onpointermove = (m) =>
      move(
        near,
        page.round(scales.t.invert(m.clientX - box.left - off[0]), 0.01),
        page.round(scales.w.invert(m.clientY - page.byId("plot").getBoundingClientRect().top - off[1]), 0.01),
      );
    chosen.onpointerup = chosen.onpointercancel = () => {
      chosen.onpointermove = null;
    };
    e.preventDefault();
  });
  g.addEventListener("focus", () => {
    if (state.selected !== i) pick(i);
  });
  g.addEventListener("keydown", (e) => {
    const step = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]}[e.key];
    if (!step) return;
    const size = e.shiftKey ? 0.1 : 0.01;
    move(i, state.t[i] + step[0] * size, state.w[i] + step[1] * size);
    e.preventDefault();
  });
  handles[i] = g;
  return g;
}

function layout(width) {
  const left = 46,
    right = width - 14;
  const t = page.scale(T_AXIS, [left, right]);
  return {t, w: page.scale(RANGE.w, [464, 304]), left, right};
}

/* The potential from (T2), sampled so that the corners at the inputs are met. */
function potentialPoints(from, to, v) {
  const times = [from, to, ...state.t.filter((t) => t > from && t < to)];
  for (let k = 0; k <= 240; k++) times.push(from + ((to - from) * k) / 240);
  return times.sort((a, b) => a - b).map((t) => [scales.t(t), v(temporal.potential(t, state.t, state.w))]);
}

function drawPlot() {
  const svg = page.byId("plot"),
    width = svg.clientWidth || 600,
    {line, text, arrow} = page;
  scales = layout(width);
  const {t, w, left, right} = scales,
    end = Math.min(found.t_out, T_AXIS[1]),
    seen = [];
  for (let x = T_AXIS[0]; x <= end; x += 0.02) seen.push(temporal.potential(x, state.t, state.w));
  const low = Math.min(-0.25, Math.floor(2 * Math.min(...seen)) / 2),
    high = Math.max(1.5 * state.threshold, 0.6);
  const v = page.scale([low, high], [242, 30]),
    step = high - low > 4 ? 1 : 0.5,
    level = v(state.threshold);
  const back = [];
  if (found.fires) {
    const first = Math.min(...state.t);
    back.push(`<rect class="window" x="${t(first)}" y="30" width="${Math.max(0, t(end) - t(first))}" height="434"/>`);
  }
  page
    .ticks(low, high, step)
    .forEach((y) => back.push(line(left, v(y), right, v(y), y === 0 ? "axis" : "grid"), text(left - 8, v(y) + 4, page.say(y), "end")));
  [-2, -1, 0, 1, 2].forEach((y) =>
    back.push(line(left, w(y), right, w(y), y === 0 ? "axis" : "grid"), text(left - 8, w(y) + 4, page.say(y), "end")),
  );
  page.ticks(...T_AXIS, 1).forEach((x) => back.push(line(t(x), 464, t(x), 469, "axis"), text(t(x), 484, x, "mid")));
  back.push(text(right, 500, "time t/τ", "end"), text(left - 38, 16, "potential V/τ"), text(right, 284, "weight w of the inputs", "end"));
  back.push(line(left, level, right, level, "threshold"));
  back.push(text(right, level - 7, `threshold ϑ = ${page.say(state.threshold, 3)}`, "end"));
  const clip = '<clipPath id="inside"><rect x="0" y="18" width="4000" height="228"/></clipPath>';
  const rest = found.fires && found.t_out < T_AXIS[1] ? page.path(potentialPoints(found.t_out, T_AXIS[1], v), "curve ghost") : "";
  back.push(`${clip}<g clip-path="url(#inside)">${page.path(potentialPoints(T_AXIS[0], end, v), "curve", 'id="potential"')}${rest}</g>`);
  if (found.fires && found.t_out <= T_AXIS[1]) {
    const x = t(found.t_out),
      side = x > right - 110 ? "end" : "";
    back.push(
      line(x, level, x, 464, "outline", 'stroke-dasharray="2 4"'),
      line(x, level, x, 24, "outline"),
      `<circle class="star" cx="${x}" cy="${level}" r="6"/>`,
      text(x + (side ? -8 : 8), 34, `fires at ${page.say(found.t_out)}`, `out ${side}`),
    );
  } else {
    const why = found.fires ? `fires at ${page.say(found.t_out)}, further right →` : "silent: it never fires";
    back.push(text(right, 34, why, "strong end"));
  }
  if (leap) {
    const x1 = t(Math.min(leap.before, T_AXIS[1])),
      x2 = t(Math.min(leap.after, T_AXIS[1]));
    if (Math.abs(x2 - x1) > 12)
      back.push(arrow(x1, 54, x2 - x1, 0, "leap"), `<circle cx="${x1}" cy="${level}" r="6" fill="none" class="gap"/>`);
  }
  state.t.forEach((x, i) => back.push(line(t(x), w(0), t(x), w(state.w[i]), `stem ${state.w[i] < 0 ? "down" : "up"}`)));
  let layer = svg.querySelector("g.back"),
    front = svg.querySelector("g.front"),
    knobs = svg.querySelector("g.knobs");
  if (!layer) {
    svg.innerHTML = '<g class="back"></g><g class="front" pointer-events="none"></g><g class="knobs"></g>';
    layer = svg.querySelector("g.back");
    front = svg.querySelector("g.front");
    knobs = svg.querySelector("g.knobs");
  }
  layer.innerHTML = back.join("");
  front.innerHTML = arrows(t, w);
  while (handles.length > state.t.length) handles.pop().remove();
  state.t.forEach((x, i) => {
    const g = handle(i),
      kind = state.w[i] < 0 ? "inhibitory" : "excitatory";
    if (!g.parentNode) knobs.append(g);
    g.setAttribute("transform", `translate(${t(x).toFixed(2)} ${w(state.w[i]).toFixed(2)})`);
    g.setAttribute(
      "class",
      `handle ${state.w[i] < 0 ? "down" : "up"}${found.causal[i] ? " causal" : ""}${i === state.selected ? " selected" : ""}`,
    );
    g.setAttribute("aria-label", `Input ${i + 1}, ${kind}: left and right change its time, up and down its weight`);
    g.setAttribute("aria-valuemin", RANGE.t[0]);
    g.setAttribute("aria-valuemax", RANGE.t[1]);
    g.setAttribute("aria-valuenow", x);
    g.setAttribute("aria-valuetext", `time ${page.say(x)}, weight ${page.say(state.w[i])}, output at ${page.say(found.t_out)}`);
  });
}

/* Two arrows at each causal input, against the gradient: this way the output comes earlier. */
function arrows(t, w) {
  const length = (g) => -Math.sign(g) * (20 + 44 * (1 - Math.exp(-Math.abs(g))));
  return state.t
    .map((x, i) => {
      if (!found.causal[i]) return "";
      const px = t(x),
        py = w(state.w[i]),
        parts = [];
      const dx = length(found.dt_dt[i]),
        dy = -length(found.dt_dw[i]);
      if (Math.abs(found.dt_dt[i]) > 1e-9)
        parts.push(page.arrow(px, py, dx, 0, "along-t", `data-input="${i}" data-gradient="${found.dt_dt[i]}"`));
      if (Math.abs(found.dt_dw[i]) > 1e-9)
        parts.push(page.arrow(px, py, 0, dy, "along-w", `data-input="${i}" data-gradient="${found.dt_dw[i]}"`));
      return parts.join("");
    })
    .join("");
}

function drawSweep() {
  const svg = page.byId("sweep"),
    width = svg.clientWidth || 380,
    {line, text} = page,
    i = state.selected,
    by = state.sweep;
  const x = page.scale(RANGE[by], [52, width - 14]),
    y = page.scale([0, 4.5], [224, 44]),
    never = 20,
    parts = [];
  const at = (value) => ({...state, [by]: state[by].map((old, k) => (k === i ? value : old))});
  page.ticks(...RANGE[by], 1).forEach((v) => parts.push(line(x(v), 228, x(v), 44, "grid"), text(x(v), 244, page.say(v), "mid")));
  page
    .ticks(0, 4.5, 1)
    .forEach((v) => parts.push(line(52, y(v), width - 14, y(v), v === 0 ? "axis" : "grid"), text(44, y(v) + 4, v, "end")));
  parts.push(line(52, never, width - 14, never, "grid"), text(44, never + 4, "never", "end"));
  parts.push(
    text(width - 14, 262, by === "t" ? `time of input ${i + 1} (t/τ)` : `weight of input ${i + 1}`, "end"),
    text(60, 58, "output spike t/τ"),
  );
  if (by === "t")
    parts.push(
      page.path(
        [
          [x(0), y(0)],
          [x(4), y(4)],
        ],
        "diagonal",
      ),
      text(x(4), y(2.05), "input meets output", "end"),
    );
  const place = (t_out) => (t_out === Infinity ? never : Math.max(y(t_out), never + 12));
  const n = 240,
    [low, high] = RANGE[by];
  let piece = [],
    last = null;
  for (let k = 0; k <= n; k++) {
    const value = low + ((high - low) * k) / n,
      t_out = solve(at(value)).t_out;
    if (last && Math.abs(1 / Math.exp(t_out) - 1 / Math.exp(last.t_out)) > 0.004) {
      const jump = findJump(at(last.value), at(value));
      if (jump) {
        const px = x(jump.state[by][i]);
        parts.push(page.path([...piece, [px, place(jump.before)]], "curve"), line(px, place(jump.before), px, place(jump.after), "gap"));
        piece = [[px, place(jump.after)]];
      }
    }
    piece.push([x(value), place(t_out)]);
    last = {value, t_out};
  }
  parts.push(page.path(piece, "curve"));
  const here = [x(state[by][i]), place(found.t_out)],
    slope = (by === "t" ? found.dt_dt : found.dt_dw)[i];
  if (found.fires && found.t_out < T_AXIS[1]) {
    const rise = (slope * (y(1) - y(0))) / (x(1) - x(0)),
      run = 34 / Math.hypot(1, rise);
    parts.push(line(here[0] - run, here[1] - run * rise, here[0] + run, here[1] + run * rise, "tangent", `data-slope="${slope}"`));
  }
  parts.push(`<circle class="star" cx="${here[0]}" cy="${here[1]}" r="6"/>`);
  svg.innerHTML = parts.join("");
  page.byId("chosen").textContent = i + 1;
  showSweep(by);
}

function drawTable() {
  const body = page.byId("inputs");
  if (body.rows.length !== state.t.length) {
    body.innerHTML = state.t
      .map(
        (_, i) => `<tr><td><span class="badge">${i + 1}</span></td>
      <td><input type="number" data-of="t" data-input="${i}" min="0" max="4" step="0.01" aria-label="Time of input ${i + 1}"></td>
      <td><input type="number" data-of="w" data-input="${i}" min="-2.5" max="2.5" step="0.01" aria-label="Weight of input ${i + 1}"></td>
      <td class="dt"></td><td class="dw"></td>
      <td><button type="button" class="remove" data-input="${i}" aria-label="Remove input ${i + 1}">×</button></td></tr>`,
      )
      .join("");
  }
  [...body.rows].forEach((row, i) => {
    row.className = `${i === state.selected ? "selected" : ""} ${found.causal[i] ? "" : "dim"}`;
    row.querySelector(".badge").className = `badge ${state.w[i] < 0 ? "down" : "up"} ${found.causal[i] ? "causal" : ""}`;
    row.querySelectorAll("input").forEach((field) => {
      const value = state[field.dataset.of][i];
      if (document.activeElement !== field || Number(field.value) !== value) field.value = Number(value.toFixed(4));
    });
    for (const [name, values] of [
      ["dt", found.dt_dt],
      ["dw", found.dt_dw],
    ]) {
      const cell = row.querySelector(`.${name}`);
      cell.textContent = page.say(values[i], 3);
      cell.dataset.value = values[i];
    }
    row.querySelector("button").disabled = state.t.length < 2;
  });
  page.byId("sum").textContent = found.fires
    ? page.say(
        found.dt_dt.reduce((a, b) => a + b, 0),
        6,
      )
    : "–";
  page.byId("add").disabled = state.t.length >= N_MAX;
  page.byId("threshold").value = state.threshold;
  page.byId("threshold-is").textContent = page.say(state.threshold, 3);
}

const VERDICTS = {fires: "fires: this is C", weak: "(T4) fails", late: "(T5) too late", tie: "(T6) tie", later: "not asked"};

function drawWords() {
  const out = page.byId("t-out"),
    {say} = page,
    list = state.t
      .map((_, i) => i + 1)
      .filter((_, i) => found.causal[i])
      .join(", ");
  out.textContent = found.fires ? `${say(found.t_out, 6)} τ` : "never";
  out.dataset.t = found.t_out;
  out.dataset.z = found.z_out;
  const rows = temporal.prefixes(found.z_in, state.w, state.threshold),
    used = rows.find((r) => r.verdict === "fires");
  const ratio = (a, b) => `<span class="frac"><span>${a}</span><span>${b}</span></span>`;
  page.byId("equation").innerHTML = used
    ? `<span>z<sub>out</sub></span> = ${ratio("Σ<sub>C</sub> w<sub>i</sub> z<sub>i</sub>", "Σ<sub>C</sub> w<sub>i</sub> − ϑ")} =
       ${ratio(say(used.sum_wz), `${say(used.sum_w)} − ${say(state.threshold)}`)} = ${say(found.z_out)} <span class="tag">(T3)</span>`
    : `${ratio("Σ w<sub>i</sub> z<sub>i</sub>", "Σ w<sub>i</sub> − ϑ")} meets (T4) and (T5) for no set of inputs`;
  page.byId("causal").textContent = used
    ? `C = {${list}}, margin S − ϑ = ${say(found.margin)}, t = ln z`
    : `All weights: ${say(rows[rows.length - 1].sum_w)}; the threshold: ${say(state.threshold)}. A silent neuron has no gradient to give.`;
  page.byId("prefixes").innerHTML = rows
    .map(
      (r) => `<tr class="${r.verdict === "later" ? "dim" : ""}"><td>${r.i + 1}</td><td>${say(r.sum_w)}</td><td>${say(r.a)}</td>
    <td>${say(r.z)}</td><td>${say(r.z_next, 4, "∞")}</td><td>${VERDICTS[r.verdict]}</td></tr>`,
    )
    .join("");
  const box = page.byId("event"),
    e = event;
  box.className = `event ${e.kind}`;
  box.dataset.kind = e.kind;
  const where = () => {
    const t = e.state.t[e.moved],
      w = e.state.w[e.moved];
    return e.moved === undefined || e.moved < 0
      ? `At threshold ${say(e.state.threshold, 3)}`
      : `With input ${e.moved + 1} at t = ${say(t, 3)}, w = ${say(w, 3)}`;
  };
  box.innerHTML = {
    none: () => "Move something: this line says what happens to the output.",
    jump: () =>
      `<b>Jump.</b> ${where()} the output goes from ${say(e.before)} to ${say(e.after)} at once. ` + "No gradient announced it.",
    kink: () =>
      `<b>Kink.</b> Input ${e.moved + 1} has ${e.entered ? "entered" : "left"} the causal set. ` +
      "The output time has no gap there, its derivative has.",
    silent: () => "<b>Silent.</b> The output went off to infinity: S fell to the threshold. No gradient brings it back.",
    fires: () => "<b>It fires.</b> The weights exceed the threshold again; the output came in from infinity.",
  }[e.kind]();
}

function drawAll() {
  drawPlot();
  drawSweep();
  drawTable();
  drawWords();
}
