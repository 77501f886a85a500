"use strict";
/* How the page "Counting spikes" is drawn, and what it remarks. */

function drawSteps(found) {
  const svg = page.byId("steps"),
    width = svg.clientWidth || 600,
    {line, text} = page,
    n = state.n_steps,
    left = 46,
    right = width - 64;
  const all = [state.v_init, state.threshold, 0, ...found.u, ...found.v],
    low = Math.min(...all),
    high = Math.max(...all),
    room = 0.06 * (high - low);
  const x = page.scale([0, n], [left, right]),
    y = page.scale([low - room, high + room], [252, 44]),
    parts = [];
  const unit = [0.25, 0.5, 1, 2, 5, 10, 20, 50].find((s) => (high - low) / s <= 7) || 100;
  page
    .ticks(low, high, unit)
    .forEach((v) => parts.push(line(left, y(v), right, y(v), v === 0 ? "axis" : "grid"), text(left - 8, y(v) + 4, page.say(v), "end")));
  const every = [1, 2, 5, 10, 20].find((s) => (n / s) * 26 <= right - left) || 20;
  page.ticks(0, n, every).forEach((t) => parts.push(line(x(t), 252, x(t), 257, "axis"), text(x(t), 272, t, "mid")));
  parts.push(
    text(right, 287, "step t", "end"),
    text(left - 38, 14, "potential"),
    line(left, y(state.threshold), right, y(state.threshold), "threshold"),
  );
  let before = state.v_init;
  for (let t = 0; t < n; t++) {
    parts.push(
      page.path(
        [
          [x(t), y(before)],
          [x(t + 1), y(found.u[t])],
        ],
        "curve",
      ),
    );
    if (found.spikes[t]) {
      parts.push(
        page.path(
          [
            [x(t + 1), y(found.u[t])],
            [x(t + 1), y(found.v[t])],
          ],
          "curve ghost",
        ),
        `<line class="outline spike" x1="${x(t + 1)}" x2="${x(t + 1)}" y1="22" y2="38" data-step="${t + 1}"/>`,
        `<circle class="star" cx="${x(t + 1)}" cy="${y(found.u[t])}" r="4"/>`,
      );
    }
    before = found.v[t];
  }
  parts.push(text(right + 6, y(state.threshold) + 4, `θ = ${page.say(state.threshold)}`));
  parts.push(
    text(right, 14, `${found.counts} ${found.counts === 1 ? "spike" : "spikes"} in ${n} ${n === 1 ? "step" : "steps"}`, "out end"),
  );
  svg.innerHTML = parts.join("");
}

function drawRate(found) {
  const svg = page.byId("rate"),
    width = svg.clientWidth || 600,
    {line, text} = page,
    left = 46,
    right = width - 14;
  const x = page.scale(RANGE.a, [left, right]),
    y = page.scale([0, 1.25], [258, 16]),
    parts = [],
    rate = found.counts / state.n_steps;
  scales = {x, y};
  page
    .ticks(0, 1.25, 0.25)
    .forEach((v) => parts.push(line(left, y(v), right, y(v), v === 0 ? "axis" : "grid"), text(left - 8, y(v) + 4, page.say(v), "end")));
  page.ticks(...RANGE.a, 0.5).forEach((v) => parts.push(line(x(v), 258, x(v), 263, "axis"), text(x(v), 278, page.say(v), "mid")));
  parts.push(text(right, 295, "current a", "end"));
  const th = state.threshold,
    top = 1.25 * th;
  parts.push(line(x(th), y(0), x(th), y(1.25), "grid"), text(x(th) + 5, y(1.25) + 12, "θ"));
  parts.push(
    page.path(
      [
        [x(th), y(1)],
        [x(Math.min(top, 2.5)), y(Math.min(1.25, 2.5 / th))],
      ],
      "diagonal",
    ),
  );
  parts.push(
    page.path(
      found.others.map(([a, r]) => [x(a), y(r)]),
      "other",
    ),
  );
  parts.push(
    page.path(
      [
        [x(-0.5), y(0)],
        [x(0), y(0)],
        [x(Math.min(th, 2.5)), y(1)],
        [x(2.5), y(1)],
      ],
      "relu",
    ),
  );
  parts.push(
    page.path(
      found.chosen.map(([a, r]) => [x(a), y(r)]),
      "curve",
      'id="staircase"',
    ),
  );
  parts.push(line(x(state.a), y(0), x(state.a), y(rate), "outline", 'stroke-dasharray="2 4"'));
  let layer = svg.querySelector("g.back");
  if (!layer) {
    svg.innerHTML =
      '<g class="back"></g><g class="handle causal" id="knob" tabindex="0" role="slider" style="--c:var(--out)">' +
      '<circle class="hit" r="24"/><circle class="ring" r="14"/><circle class="knob" r="10"/></g>';
    layer = svg.querySelector("g.back");
    listen(svg.querySelector("#knob"));
  }
  layer.innerHTML = parts.join("");
  const knob = svg.querySelector("#knob");
  knob.setAttribute("transform", `translate(${x(state.a).toFixed(2)} ${y(rate).toFixed(2)})`);
  knob.setAttribute("aria-label", "Current");
  knob.setAttribute("aria-valuemin", RANGE.a[0]);
  knob.setAttribute("aria-valuemax", RANGE.a[1]);
  knob.setAttribute("aria-valuenow", state.a);
  knob.setAttribute("aria-valuetext", `current ${state.a}, rate ${page.say(rate)}`);
}

/* One line on what is to be seen in this state. */
function remark(found) {
  const {a, threshold, n_steps, reset, v_init} = state,
    {say} = page;
  if (Number.isFinite(found.promised) && found.promised !== found.counts) {
    const counts = `the closed form counts ${found.promised}, the machine ${found.counts}`;
    return `<b>Rounding.</b> In exact sums ${counts}: floats added up to a little less, or more, than the threshold.`;
  }
  if (a <= 0)
    return v_init >= threshold && found.counts
      ? "Only what V<sub>0</sub> had beyond the threshold fires."
      : "No current, no spike: like a ReLU below 0.";
  if (a > threshold) {
    const when = found.counts < n_steps ? "Once V<sub>0</sub> is made up for, it fires in each step" : "It fires in each step";
    return reset === "subtract"
      ? `<b>Saturated.</b> ${when} and falls behind: what a has beyond θ piles up in V and is never said.`
      : `<b>Saturated.</b> ${when}; what a has beyond θ is thrown away.`;
  }
  if (reset === "zero") {
    const wait = integrate_fire.wait(a, threshold, state.fire);
    const steps = wait === 1 ? "1 step" : `${wait} steps`;
    return `From 0 it needs ${steps} for each spike. All currents that need as many look alike, however long it runs.`;
  }
  const kept = v_init >= 0 && v_init < threshold;
  const rest = kept
    ? `So N/T is off by at most 1/T = ${say(1 / n_steps, 3)}.`
    : "Here V<sub>0</sub> counts for some of the spikes, or must be made up for first.";
  return `Nothing is lost: T a + V<sub>0</sub> = θ N + V<sub>T</sub>. ${rest}`;
}
