"use strict";
/* The page "Counting spikes": state, what follows from it, and how it is drawn. */
const RANGE = {a: [-0.5, 2.5], threshold: [0.25, 2], n_steps: [1, 60], v_init: [-1, 2]},
  GRID = 600;
const WORDS = {reset: ["subtract", "zero"], fire: [">=", ">"]};
const START = {a: 0.7, threshold: 1, n_steps: 12, v_init: 0, reset: "subtract", fire: ">="};
const PRESETS = {
  staircase: {...START, a: 0.55, n_steps: 30, reset: "zero"},
  longer: {...START, a: 0.85, n_steps: 4},
  half: {...START, a: 0.45, n_steps: 6},
  ceiling: {...START, a: 0.875, n_steps: 16},
  rounding: {...START, a: 0.1, n_steps: 10, reset: "zero"},
};
let state = null,
  scales = null;

/* Rates over a grid of currents, between the round numbers, where rounding would take single spikes away; kept while the current moves. */
const drawn = new Map();
function staircase({n_steps, threshold, v_init}, rule) {
  const key = [n_steps, threshold, v_init, rule.reset, rule.fire].join();
  if (!drawn.has(key)) {
    const [low, high] = RANGE.a, step = (high - low) / GRID;
    if (drawn.size > 50) drawn.clear();
    drawn.set(
      key,
      Array.from({length: GRID}, (_, k) => {
        const a = low + (k + 0.5) * step;
        return [a, integrate_fire.counts(a, n_steps, threshold, v_init, rule) / n_steps];
      }),
    );
  }
  return drawn.get(key);
}

function solve(s) {
  const rule = {reset: s.reset, fire: s.fire},
    other = {...rule, reset: s.reset === "zero" ? "subtract" : "zero"};
  const run = integrate_fire.forward(new Float64Array(s.n_steps).fill(s.a), s.threshold, s.v_init, rule);
  const chosen = staircase(s, rule);
  return {
    ...run,
    chosen,
    others: staircase(s, other),
    relu: integrate_fire.clipped_relu(s.a, s.threshold),
    promised: s.v_init === 0 ? integrate_fire.promised(s.a, s.n_steps, s.threshold, rule) : NaN,
    distance: Math.max(...chosen.map(([a, r]) => Math.abs(r - integrate_fire.clipped_relu(a, s.threshold)))),
  };
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
    const off = e.clientX - page.byId("rate").getBoundingClientRect().left - scales.x(state.a);
    knob.setPointerCapture(e.pointerId);
    knob.onpointermove = (m) =>
      change({a: page.round(scales.x.invert(m.clientX - page.byId("rate").getBoundingClientRect().left - off), 0.01)});
    knob.onpointerup = knob.onpointercancel = () => {
      knob.onpointermove = null;
    };
    knob.focus({preventScroll: true});
    e.preventDefault();
  });
  knob.addEventListener("keydown", (e) => {
    const step = {ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1}[e.key];
    if (!step) return;
    change({a: state.a + step * (e.shiftKey ? 0.1 : 0.01)});
    e.preventDefault();
  });
}

function draw() {
  const found = solve(state),
    {say, byId} = page;
  drawSteps(found);
  drawRate(found);
  for (const name of Object.keys(RANGE)) {
    byId(name).value = state[name];
    byId(`${name}-is`).textContent = say(state[name]);
  }
  showReset(state.reset);
  showFire(state.fire);
  byId("counts").textContent = found.counts;
  byId("rate-is").textContent = say(found.counts / state.n_steps, 3);
  byId("relu-is").textContent = say(found.relu, 3);
  byId("promised").innerHTML = Number.isFinite(found.promised)
    ? `${found.promised} <span class="tag small">${state.reset === "zero" ? "(I4)" : "(I5)"}</span>`
    : '<span class="small">needs V<sub>0</sub> = 0</span>';
  const off = Math.abs(found.v_final - state.threshold);
  byId("v_final").textContent = off > 0 && off < 1e-9 ? String(found.v_final) : say(found.v_final, 3);
  byId("distance").textContent = say(found.distance, 3);
  byId("note").innerHTML = remark(found);
}

/* The state that the address holds, or the one to start from. */
function stateOfAddress() {
  const next = {...START};
  for (const [name, text] of page.recall()) {
    const value = decodeURIComponent(text);
    if (RANGE[name] && value !== "" && Number.isFinite(Number(value)))
      next[name] = name === "n_steps" ? Math.round(Number(value)) : Number(value);
    if (WORDS[name] && WORDS[name].includes(value)) next[name] = value;
  }
  return next;
}

const showReset = page.choice("reset", (reset) => change({reset}));
const showFire = page.choice("fire", (fire) => change({fire}));
for (const name of Object.keys(RANGE)) page.byId(name).addEventListener("input", (e) => change({[name]: e.target.valueAsNumber}));
document.querySelector(".tries").addEventListener("click", (e) => {
  if (e.target.matches("button")) change(PRESETS[e.target.value]);
});
window.addEventListener("hashchange", () => change(stateOfAddress()));
page.start();
change(stateOfAddress());
page.redrawOn(page.byId("steps"), draw);
