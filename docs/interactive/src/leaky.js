"use strict";
/* The page "Leaky neuron": state, what follows from it, and how it is drawn. Currents in nA, times in ms, potentials in mV. */
const RANGE = {current: [0, 0.8], tau: [2, 50], threshold: [5, 30], dt: [0.5, 10]},
  START = {current: 0.3, tau: 20, threshold: 15, dt: 5},
  R = 100,                                         // megaohm
  SPAN = 100,                                      // ms that are drawn
  TOP = 300;                                       // spikes per second
const PRESETS = {
  rheobase: {...START, current: 0.15},
  page: {...START, dt: 10},
  fine: {...START, dt: 0.5},
  slow: {...START, current: 0.2, tau: 50},
};
let state = null,
  scales = null;

function solve({current, tau, threshold, dt}) {
  const r_i = R * current, beta = leaky.beta(tau, dt), interval = leaky.interval(r_i, tau, threshold);
  const n_steps = Math.floor(SPAN / dt + 1e-9), run = leaky.forward(r_i, n_steps, beta, threshold);
  const wait = leaky.steps(r_i, tau, threshold, dt);
  return {r_i, beta, interval, n_steps, ...run, wait, rate: 1000 / interval, rate_in_steps: 1000 / (wait * dt)};
}

/* Points of both f-I curves: [current, rate in time, rate in steps]. */
function curves({tau, threshold, dt}) {
  const rheobase = threshold / R, [low, high] = RANGE.current;
  const near = Array.from({length: 60}, (_, k) => rheobase + 1e-6 * 1.17 ** k).filter((i) => i < high);
  const grid = Array.from({length: 801}, (_, k) => low + (k * (high - low)) / 800);
  return [...grid, ...near].sort((a, b) => a - b).map((i) => [i, 1000 / leaky.interval(R * i, tau, threshold),
    1000 / (dt * leaky.steps(R * i, tau, threshold, dt))]);
}

function change(part) {
  state = {...state, ...part};
  for (const name of Object.keys(RANGE)) state[name] = page.clamp(page.tidy(state[name]), ...RANGE[name]);
  page.remember(state);
  draw();
}

function listen(knob) {
  page.holdStill(knob);
  knob.addEventListener("pointerdown", (e) => {
    const at = (m) => m.clientX - page.byId("fi").getBoundingClientRect().left, off = at(e) - scales.x(state.current);
    knob.setPointerCapture(e.pointerId);
    knob.onpointermove = (m) => change({current: page.round(scales.x.invert(at(m) - off), 0.005)});
    knob.onpointerup = knob.onpointercancel = () => {
      knob.onpointermove = null;
    };
    knob.focus({preventScroll: true});
    e.preventDefault();
  });
  knob.addEventListener("keydown", (e) => {
    const step = {ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1}[e.key];
    if (!step) return;
    change({current: state.current + step * (e.shiftKey ? 0.05 : 0.005)});
    e.preventDefault();
  });
}

/* Axes with grid: ticks of x and y, each with its step. */
function frame(x, y, xs, ys, foot) {
  const {line, text} = page, [left, right] = [x(xs[0]), x(xs[1])];
  return [
    ...page.ticks(...ys).flatMap((v) => [line(left, y(v), right, y(v), v === 0 ? "axis" : "grid"), text(left - 8, y(v) + 4, page.say(v), "end")]),
    ...page.ticks(...xs).flatMap((v) => [line(x(v), y(0), x(v), y(0) + 5, "axis"), text(x(v), y(0) + 20, page.say(v), "mid")]),
    text(right, y(0) + 37, foot, "end"),
  ];
}

function drawPotential(found) {
  const svg = page.byId("potential"), width = svg.clientWidth || 600, {line, text} = page, {threshold, tau, dt} = state;
  const high = Math.max(threshold, Math.min(found.r_i, 2.2 * threshold), ...found.u) * 1.08, unit = high > 60 ? 20 : high > 25 ? 10 : 5;
  const x = page.scale([0, SPAN], [46, width - 16]), y = page.scale([0, high], [232, 50]);
  const parts = [...frame(x, y, [0, SPAN, width < 420 ? 20 : 10], [0, high, unit], "time (ms)"), text(8, 14, "potential above rest (mV)")];
  parts.push(line(x(0), y(threshold), x(SPAN), y(threshold), "threshold"), text(x(SPAN), y(threshold) - 6, "θ", "end"));
  if (found.r_i <= high) parts.push(line(x(0), y(found.r_i), x(SPAN), y(found.r_i), "relu"), text(x(SPAN), y(found.r_i) + 15, "R I", "end"));
  for (let from = 0; from < SPAN; from += found.interval) {
    const to = Math.min(SPAN - from, found.interval), n = Math.max(2, Math.min(200, Math.ceil(to * 4)));
    const curve = Array.from({length: n + 1}, (_, k) => [x(from + (k * to) / n), y(leaky.potential((k * to) / n, found.r_i, tau))]);
    parts.push(page.path(curve, "curve"));
    if (from + found.interval <= SPAN) {
      const end = x(from + found.interval);
      parts.push(page.path([[end, y(threshold)], [end, y(0)]], "curve ghost"), line(end, 22, end, 32, "stem up", 'data-spike="time"'));
    }
  }
  found.u.forEach((u, t) => {
    const end = x((t + 1) * dt);
    parts.push(`<circle cx="${end.toFixed(2)}" cy="${y(u).toFixed(2)}" r="${found.n_steps > 60 ? 2 : 4}" class="star" style="fill:var(--down)"/>`);
    if (found.spikes[t]) parts.push(line(end, 34, end, 44, "stem down", `data-step="${t + 1}"`));
  });
  svg.innerHTML = parts.join("");
}

function drawRate(found) {
  const svg = page.byId("fi"), width = svg.clientWidth || 600, {line, text} = page, rheobase = state.threshold / R;
  const x = page.scale(RANGE.current, [46, width - 16]), y = page.scale([0, TOP], [232, 24]), low = (r) => y(Math.min(r, 1.1 * TOP));
  scales = {x, y};
  const points = curves(state), shown = points.filter(([, r]) => r <= TOP * 1.02);
  const parts = [...frame(x, y, [...RANGE.current, 0.2], [0, TOP, 50], "current (nA)"), text(8, 14, "spikes per second")];
  if (rheobase <= RANGE.current[1]) parts.push(line(x(rheobase), y(0), x(rheobase), y(TOP), "gap"), text(x(rheobase) + 5, y(TOP) + 12, "rheobase"));
  const stairs = points.filter(([, , s]) => s <= TOP * 1.02);
  parts.push(page.path(stairs.map(([i, , s]) => [x(i), low(s)]), "other"), page.path(shown.map(([i, r]) => [x(i), low(r)]), "curve", 'id="curve"'));
  let layer = svg.querySelector("g.back");
  if (!layer) {
    svg.innerHTML = '<g class="back"></g><g class="handle causal" id="knob" tabindex="0" role="slider" style="--c:var(--out)">' +
      '<circle class="hit" r="24"/><circle class="ring" r="14"/><circle class="knob" r="10"/></g>';
    layer = svg.querySelector("g.back");
    listen(svg.querySelector("#knob"));
  }
  layer.innerHTML = parts.join("");
  const knob = svg.querySelector("#knob"), at = y(Math.min(found.rate, TOP));
  knob.setAttribute("transform", `translate(${x(state.current).toFixed(2)} ${at.toFixed(2)})`);
  const said = {label: "Current in nA", valuemin: RANGE.current[0], valuemax: RANGE.current[1], valuenow: state.current,
    valuetext: `current ${state.current} nA, ${page.say(found.rate, 3)} spikes per second`};
  Object.entries(said).forEach(([key, value]) => knob.setAttribute(`aria-${key}`, value));
}

/* One line on what is to be seen in this state. */
function remark(found) {
  const {say} = page;
  if (found.r_i <= state.threshold)
    return found.r_i === state.threshold ? "<b>At the rheobase.</b> The potential tends to the threshold and never reaches it."
      : "<b>Silent.</b> What leaks out balances the current before the threshold is reached.";
  if (found.wait === 1) return "<b>Saturated.</b> In steps it fires in every one; more current changes nothing.";
  const lost = 1 - found.rate_in_steps / found.rate;
  return `An interval of ${say(found.interval, 3)} ms becomes ${found.wait} steps of ${say(state.dt)} ms` +
    (lost > 0.005 ? `: the steps lose ${say(100 * lost, 2)} % of the rate.` : ".");
}

function draw() {
  const found = solve(state), {say, byId} = page, units = {current: "nA", tau: "ms", threshold: "mV", dt: "ms"};
  drawPotential(found);
  drawRate(found);
  for (const name of Object.keys(RANGE)) {
    byId(name).value = state[name];
    byId(`${name}-is`).textContent = `${say(state[name])} ${units[name]}`;
  }
  byId("interval").textContent = say(found.interval, 4);
  byId("rate").textContent = say(found.rate, 4);
  byId("rate-in-steps").textContent = say(found.rate_in_steps, 4);
  byId("beta").textContent = say(found.beta, 4);
  byId("r_i").textContent = say(found.r_i, 4);
  byId("rheobase").textContent = say(state.threshold / R, 4);
  byId("note").innerHTML = remark(found);
}

/* The state that the address holds, or the one to start from. */
function stateOfAddress() {
  const next = {...START};
  for (const [name, text] of page.recall()) if (RANGE[name] && text !== "" && Number.isFinite(Number(text))) next[name] = Number(text);
  return next;
}

for (const name of Object.keys(RANGE)) page.byId(name).addEventListener("input", (e) => change({[name]: e.target.valueAsNumber}));
document.querySelector(".tries").addEventListener("click", (e) => {
  if (e.target.matches("button")) change(PRESETS[e.target.value]);
});
window.addEventListener("hashchange", () => change(stateOfAddress()));
page.start();
change(stateOfAddress());
page.redrawOn(page.byId("potential"), draw);
