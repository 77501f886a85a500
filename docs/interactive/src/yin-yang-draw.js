"use strict";
/* How the page "Yin-Yang" is drawn. */

const rgb = (name) => {
  const text = page.color(name);
  return [1, 3, 5].map((k) => parseInt(text.slice(k, k + 2), 16));
};

function paint(n, found) {
  const image = new ImageData(n, n),
    card = rgb("--card"),
    colors = CLASSES.map((c) => rgb(`--${c}`)),
    soft = rgb("--soft");
  for (let k = 0; k < n * n; k++) {
    const kind = found.kind[k],
      color = kind < 0 ? soft : colors[kind];
    const x = ((k % n) + 0.5) / n - 0.5,
      y = (Math.floor(k / n) + 0.5) / n - 0.5,
      inside = x * x + y * y <= 0.25 ? 1 : 0.45;
    const alpha = inside * (kind < 0 ? 0.5 : 0.28 + 0.5 * Math.min(1, found.gap[k] / 0.6));
    for (let c = 0; c < 3; c++) image.data[4 * k + c] = card[c] + alpha * (color[c] - card[c]);
    image.data[4 * k + 3] = 255;
  }
  const off = document.createElement("canvas");
  off.width = off.height = n;
  off.getContext("2d").putImageData(image, 0, 0);
  return off;
}

/* The true border: the disc, yin and yang, the two dots. */
function figure(c, at, unit) {
  const arc = (x, r, from, to) => {
    c.beginPath();
    c.arc(at(x), at(0.5), r * unit, from, to);
    c.stroke();
  };
  arc(0.5, 0.5, 0, 2 * Math.PI);
  arc(0.25, 0.1, 0, 2 * Math.PI);
  arc(0.75, 0.1, 0, 2 * Math.PI);
  arc(0.25, 0.25, 0, Math.PI);
  arc(0.75, 0.25, Math.PI, 2 * Math.PI);
}

function drawMap(n = COARSE) {
  const canvas = page.byId("map"),
    size = Math.round(canvas.clientWidth),
    dpr = window.devicePixelRatio || 1,
    frame = FRAMES[state.frame];
  if (!size) return;
  canvas.style.height = `${size}px`;
  canvas.width = canvas.height = Math.round(size * dpr);
  const c = canvas.getContext("2d"),
    unit = canvas.width,
    at = (v) => v * unit,
    right = score(frame).right;
  c.imageSmoothingQuality = "high";
  c.drawImage(paint(n, regions(frame, n)), 0, 0, unit, unit);
  c.lineWidth = 1.2 * dpr;
  c.strokeStyle = page.color("--soft");
  c.globalAlpha = 0.7;
  figure(c, at, unit);
  c.globalAlpha = 1;
  const ink = page.color("--ink"),
    card = page.color("--card"),
    r = Math.max(2, size / 230) * dpr,
    colors = CLASSES.map((name) => page.color(`--${name}`));
  POINTS.forEach((p, k) => {
    if (state.points === "none" || (state.points === "wrong" && right[k])) return;
    const x = at(p.x),
      y = at(1 - p.y);
    c.fillStyle = colors[p.label];
    c.strokeStyle = right[k] ? card : ink;
    c.lineWidth = 0.8 * dpr;
    c.beginPath();
    c.arc(x, y, right[k] ? r : 1.5 * r, 0, 2 * Math.PI);
    c.fill();
    c.stroke();
    if (!right[k]) {
      c.lineWidth = 1.3 * dpr;
      c.beginPath();
      c.moveTo(x - 2 * r, y - 2 * r);
      c.lineTo(x + 2 * r, y + 2 * r);
      c.moveTo(x - 2 * r, y + 2 * r);
      c.lineTo(x + 2 * r, y - 2 * r);
      c.stroke();
    }
  });
  for (const [color, width] of [
    [card, 5],
    [ink, 2.5],
  ]) {
    c.strokeStyle = color;
    c.lineWidth = width * dpr;
    c.beginPath();
    c.arc(at(state.x), at(1 - state.y), 9 * dpr, 0, 2 * Math.PI);
    c.stroke();
  }
  canvas.dataset.n = n;
}

/* The coarse map at once, the fine one in pieces as soon as the reader pauses. */
function refresh() {
  cancelAnimationFrame(refining);
  const frame = FRAMES[state.frame],
    shown = state.frame;
  drawMap(frame[FINE] && frame[FINE].rows === FINE ? FINE : COARSE);
  const refine = () => {
    if (state.frame !== shown) return;
    if (regions(frame, FINE, performance.now() + 14).rows === FINE) drawMap(FINE);
    else refining = requestAnimationFrame(refine);
  };
  if (!playing && !(frame[FINE] && frame[FINE].rows === FINE)) refining = requestAnimationFrame(refine);
}

function drawCurves() {
  const svg = page.byId("curves"),
    width = svg.clientWidth || 380,
    {line, text} = page,
    left = 40,
    right = width - 40,
    n = FRAMES.length - 1;
  const x = page.scale([0, n], [left, right]),
    y = page.scale([0, 1], [150, 22]),
    z = page.scale([0, 1.2], [150, 22]),
    parts = [];
  [0, 0.25, 0.5, 0.75, 1].forEach((v) =>
    parts.push(
      line(left, y(v), right, y(v), v ? "grid" : "axis"),
      text(left - 6, y(v) + 4, `${100 * v}`, "end"),
      text(right + 6, y(v) + 4, page.say(1.2 * v, 2)),
    ),
  );
  let last = -Infinity;
  FRAMES.forEach((f, k) => {
    const label = f.update < DATA.n_batches ? f.update : `${f.update / DATA.n_batches} ep.`,
      whole = f.update < DATA.n_batches || Number.isInteger(f.update / DATA.n_batches);
    if (whole && x(k) - last > 48) {
      parts.push(line(x(k), 150, x(k), 155, "axis"), text(x(k), 170, label, "mid"));
      last = x(k);
    }
  });
  parts.push(
    text(0, 12, "accuracy (%)", "", 'style="fill:var(--up)"'),
    text(width, 12, "loss (nat)", "end", 'style="fill:var(--down)"'),
    text(right, 187, "updates, then epochs", "end"),
  );
  parts.push(
    page.path(
      FRAMES.map((f, k) => [x(k), z(f.loss)]),
      "other",
      'style="opacity:1"',
    ),
    page.path(
      FRAMES.map((f, k) => [x(k), y(f.accuracy)]),
      "curve",
    ),
  );
  const f = FRAMES[state.frame];
  parts.push(
    line(x(state.frame), 22, x(state.frame), 150, "outline"),
    `<circle class="star" cx="${x(state.frame)}" cy="${y(f.accuracy)}" r="5"/>`,
    `<circle cx="${x(state.frame)}" cy="${z(f.loss)}" r="5" style="fill:var(--down)"/>`,
  );
  svg.innerHTML = parts.join("");
}

function drawRace() {
  const svg = page.byId("race"),
    width = svg.clientWidth || 380,
    {line, text} = page,
    {z_in, z_hidden, z_out} = run(FRAMES[state.frame], state.x, state.y);
  const t_in = [...z_in, 1].map(Math.log),
    t_hidden = Array.from(z_hidden, Math.log),
    t_out = Array.from(z_out, Math.log),
    due = Math.min(...t_out);
  const end = 4;
  const left = 62,
    right = width - 8,
    x = page.scale([0, end], [left, right]),
    parts = [];
  page.ticks(0, end, 1).forEach((t) => parts.push(line(x(t), 12, x(t), 300, "grid"), text(x(t), 314, page.say(t), "mid")));
  parts.push(text(right, 328, "time t/τ", "end"));
  ["x", "y", "1 − x", "1 − y", "bias"].forEach((name, k) => {
    const y = 22 + 16 * k;
    parts.push(
      text(left - 8, y + 4, name, "end"),
      `<circle cx="${x(t_in[k])}" cy="${y}" r="4.5" style="fill:var(--soft)" data-t="${t_in[k]}"/>`,
    );
  });
  const sorted = t_hidden.map((t, k) => [t, k]).sort((p, q) => p[0] - q[0]),
    fired = sorted.filter(([t]) => t < due).length;
  sorted.forEach(([t], k) => {
    if (t <= end)
      parts.push(
        line(
          x(t),
          112 + 2.6 * k,
          x(t),
          118 + 2.6 * k,
          "",
          `style="stroke:var(--${t < due ? "ink" : "soft"});stroke-width:2.5;opacity:${t < due ? 1 : 0.45}"`,
        ),
      );
  });
  parts.push(text(left - 8, 162, "hidden", "end"), text(left - 8, 178, "neurons", "end"));
  CLASSES.forEach((name, k) => {
    const y = 246 + 20 * k,
      first = t_out[k] === due && due < Infinity;
    parts.push(text(left - 8, y + 4, name, "end", first ? 'style="font-weight:700;fill:var(--ink)"' : ""));
    const look = `fill:var(--${name})${first ? ";stroke:var(--ink);stroke-width:2" : ""}`;
    if (t_out[k] <= end) parts.push(`<circle cx="${x(t_out[k])}" cy="${y}" r="${first ? 8 : 6}" style="${look}"/>`);
    else parts.push(text(right, y + 4, t_out[k] < Infinity ? `${page.say(t_out[k])} →` : "silent", "end"));
  });
  if (due <= end) parts.push(line(x(due), 12, x(due), 300, "outline", 'stroke-dasharray="2 4"'));
  svg.innerHTML = parts.join("");
  svg.dataset.z = JSON.stringify(Array.from(z_out, (z) => (z === Infinity ? "inf" : z)));
  const [kind, gap] = decide(z_out),
    box = page.byId("verdict"),
    lead = gap < Infinity ? `, ${page.say(gap, 3)} τ before the next` : "; the others stay silent";
  box.innerHTML =
    kind < 0
      ? "No output fires: the network has no answer here."
      : `<b>${CLASSES[kind]}</b> fires first, at ${page.say(due)} τ${lead}. ` +
        `By then ${fired} of ${N_HIDDEN} hidden neurons have fired; ${t_hidden.filter((t) => t === Infinity).length} stay silent.`;
  page.byId("px").textContent = page.say(state.x, 3);
  page.byId("py").textContent = page.say(state.y, 3);
}
