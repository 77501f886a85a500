"use strict";
/* The page "One neuron, one spike": its state, and what the reader does to it. */
const PRESETS = {
  example: {t: [0, 1, 2], w: [0.8, 0.6, -0.3], threshold: 1, selected: 2, sweep: "t"},
  jump: {t: [0, 1, Math.log(4)], w: [2, -1.5, 1], threshold: 1, selected: 1, sweep: "t"},
  kink: {t: [0, 1, Math.log(4)], w: [2, -0.5, 1], threshold: 1, selected: 1, sweep: "t"},
  early: {t: [0, 0.2, 1.6, 2], w: [0.9, 0.8, -0.6, -0.5], threshold: 1, selected: 2, sweep: "t"},
  margin: {t: [0, 0.6], w: [0.55, 0.52], threshold: 1, selected: 0, sweep: "w"},
};
let state = null,
  found = null,
  event = {kind: "none"},
  leap = null,
  leapTimer = 0;

/* Take over a new state; `moved` is the input that the reader moved, or null where everything is new. */
function change(next, moved = null) {
  const before = state;
  state = next;
  found = solve(state);
  if (moved === null) {
    event = {kind: "none"};
    leap = null;
  } else {
    const now = classify(before, state, moved);
    if (now.kind !== "smooth") event = now;
    if (now.kind === "jump") {
      leap = now;
      clearTimeout(leapTimer);
      leapTimer = setTimeout(() => {
        leap = null;
        drawPlot();
      }, 4000);
    } else if (now.kind !== "smooth") leap = null;
  }
  page.remember({
    t: state.t.map(page.tidy),
    w: state.w.map(page.tidy),
    threshold: state.threshold,
    input: state.selected + 1,
    sweep: state.sweep,
  });
  drawAll();
}

function move(i, t, w) {
  const next = {...state, t: [...state.t], w: [...state.w], selected: i};
  next.t[i] = page.clamp(page.tidy(t), ...RANGE.t);
  next.w[i] = page.clamp(page.tidy(w), ...RANGE.w);
  change(next, i);
}

function pick(i, sweep = state.sweep) {
  state = {...state, selected: i, sweep};
  drawAll();
}

function load(name) {
  change({...PRESETS[name], t: [...PRESETS[name].t], w: [...PRESETS[name].w]});
}

/* The state that the address holds, or null where it holds none or nonsense. */
function stateOfAddress() {
  const map = page.recall(),
    list = (name) => (map.get(name) || "").split(",").map((x) => (x === "" ? NaN : Number(x)));
  const t = list("t"),
    w = list("w"),
    threshold = list("threshold")[0],
    input = list("input")[0] - 1,
    inside = (x, [low, high]) => x >= low && x <= high;
  const good =
    t.length === w.length &&
    t.length <= N_MAX &&
    t.every((x) => inside(x, RANGE.t)) &&
    w.every((x) => inside(x, RANGE.w)) &&
    inside(threshold, RANGE.threshold);
  return good ? {t, w, threshold, selected: t[input] === undefined ? 0 : input, sweep: map.get("sweep") === "w" ? "w" : "t"} : null;
}

const showSweep = page.choice("sweep-by", (value) => pick(state.selected, value));
page.byId("inputs").addEventListener("input", (e) => {
  const i = Number(e.target.dataset.input),
    of = e.target.dataset.of,
    value = e.target.valueAsNumber;
  if (Number.isNaN(value)) return;
  move(i, of === "t" ? value : state.t[i], of === "w" ? value : state.w[i]);
});
page.byId("inputs").addEventListener("focusin", (e) => {
  const i = Number(e.target.dataset.input);
  if (e.target.matches("input") && state.selected !== i) pick(i);
});
page.byId("inputs").addEventListener("click", (e) => {
  const button = e.target.closest("button");
  if (!button) return;
  const i = Number(button.dataset.input),
    without = (a) => a.filter((_, k) => k !== i);
  change({...state, t: without(state.t), w: without(state.w), selected: Math.min(state.selected, state.t.length - 2)});
});
page.byId("add").addEventListener("click", () => {
  const latest = Math.max(...state.t);
  change({...state, t: [...state.t, page.tidy(Math.min(latest + 0.5, RANGE.t[1]))], w: [...state.w, 0.5], selected: state.t.length});
});
page.byId("threshold").addEventListener("input", (e) => change({...state, threshold: e.target.valueAsNumber}, -1));
document.querySelector(".tries").addEventListener("click", (e) => {
  if (e.target.matches("button")) load(e.target.value);
});
window.addEventListener("hashchange", () => {
  const next = stateOfAddress();
  if (next) change(next);
});
page.start();
const given = stateOfAddress();
if (given) change(given);
else load("jump");
page.redrawOn(page.byId("plot"), drawAll);
