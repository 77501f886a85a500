"use strict";
/* The page "Yin-Yang": its state, and what the reader does to it. */

let state = {frame: FRAMES.length - 1, x: 0.35, y: 0.62, points: "all"},
  playing = 0,
  refining = 0;

function change(part) {
  state = {...state, ...part};
  const frame = FRAMES[state.frame],
    scores = score(frame),
    {byId, say} = page;
  byId("frame").value = state.frame;
  byId("frame").setAttribute("aria-valuetext", `${frame.update} updates`);
  byId("update").textContent = frame.update.toLocaleString("en");
  byId("epoch").textContent = say(frame.update / DATA.n_batches, 3);
  byId("accuracy").textContent = `${(100 * scores.accuracy).toFixed(1)} %`;
  byId("loss").textContent = scores.loss.toFixed(3);
  byId("back").disabled = state.frame === 0;
  byId("forth").disabled = state.frame === FRAMES.length - 1;
  showPoints(state.points);
  page.remember({update: frame.update, x: page.tidy(state.x), y: page.tidy(state.y), points: state.points});
  drawCurves();
  drawRace();
  refresh();
}

function stop() {
  clearInterval(playing);
  playing = 0;
  page.byId("play").textContent = "Play";
}

function play() {
  if (playing) {
    stop();
    refresh();
    return;
  }
  page.byId("play").textContent = "Pause";
  if (state.frame === FRAMES.length - 1) state.frame = 0;
  playing = setInterval(() => {
    if (state.frame === FRAMES.length - 1) {
      stop();
      refresh();
    } else change({frame: state.frame + 1});
  }, 260);
}

const seek = (frame) => {
  if (playing) stop();
  change({frame: page.clamp(frame, 0, FRAMES.length - 1)});
};
const closest = (update) =>
  FRAMES.reduce((best, f, k) => (Math.abs(f.update - update) < Math.abs(FRAMES[best].update - update) ? k : best), 0);

/* The moment after which the accuracy falls most. */
const fall = () =>
  FRAMES.reduce(
    (best, f, k) => (k > 15 && f.accuracy - FRAMES[k - 1].accuracy < FRAMES[best].accuracy - FRAMES[best - 1].accuracy ? k : best),
    16,
  );
const PRESETS = {
  start: () => ({frame: 0, points: "none"}),
  border: () => ({frame: FRAMES.length - 1, x: 0.5, y: 0.5, points: "none"}),
  fall: () => ({frame: fall() - 1, points: "wrong"}),
  end: () => ({frame: FRAMES.length - 1, x: 0.3, y: 0.8, points: "all"}),
};

const showPoints = page.choice("points", (points) => change({points}));
page.byId("frame").max = FRAMES.length - 1;
page.byId("frame").addEventListener("input", (e) => seek(e.target.valueAsNumber));
page.byId("play").addEventListener("click", play);
page.byId("back").addEventListener("click", () => seek(state.frame - 1));
page.byId("forth").addEventListener("click", () => seek(state.frame + 1));
document.querySelector(".tries").addEventListener("click", (e) => {
  if (!e.target.matches("button")) return;
  if (playing) stop();
  change(PRESETS[e.target.value]());
});
const map = page.byId("map");
const choose = (e) => {
  const box = map.getBoundingClientRect();
  change({
    x: page.clamp(page.tidy((e.clientX - box.left) / box.width), 0, 1),
    y: page.clamp(page.tidy(1 - (e.clientY - box.top) / box.height), 0, 1),
  });
};
map.addEventListener("click", choose);
map.addEventListener("pointermove", (e) => {
  if (e.buttons && e.pointerType === "mouse") choose(e);
});
map.addEventListener("keydown", (e) => {
  const step = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]}[e.key];
  if (!step) return;
  const size = e.shiftKey ? 0.1 : 0.01;
  change({x: page.clamp(page.tidy(state.x + size * step[0]), 0, 1), y: page.clamp(page.tidy(state.y + size * step[1]), 0, 1)});
  e.preventDefault();
});

/* What the address holds takes the place of the beginning. */
function partOfAddress() {
  const found = page.recall(),
    part = {};
  for (const name of ["x", "y"])
    if (found.has(name) && Number(found.get(name)) >= 0 && Number(found.get(name)) <= 1) part[name] = Number(found.get(name));
  if (Number.isFinite(Number(found.get("update"))) && found.get("update")) part.frame = closest(Number(found.get("update")));
  if (["all", "wrong", "none"].includes(found.get("points"))) part.points = found.get("points");
  return part;
}
window.addEventListener("hashchange", () => change(partOfAddress()));
page.start();
change(partOfAddress());
page.redrawOn(map, () => change({}));
