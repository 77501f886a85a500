"use strict";
/* What the interactive pages share: theme, drawing helpers, the state in the address. No library, nothing from a network. */
const page = {
  byId: (id) => document.getElementById(id),

  /* A number for reading: at most `digits` significant ones, a true minus, "never" for an infinite time. */
  say(x, digits = 4, never = "never") {
    if (x === Infinity) return never;
    if (!Number.isFinite(x)) return "–";
    if (x === 0) return "0";
    const size = Math.abs(x);
    const text = size >= 1e5 || size < 1e-4 ? x.toExponential(2) : String(Number(x.toPrecision(digits)));
    return text.replace("-", "−");
  },

  clamp: (x, low, high) => Math.min(Math.max(x, low), high),
  round: (x, step) => Math.round(x / step) * step,
  tidy: (x) => Number(x.toFixed(6)),

  /* A linear scale with its inverse. */
  scale(domain, range) {
    const k = (range[1] - range[0]) / (domain[1] - domain[0]);
    const f = (x) => range[0] + (x - domain[0]) * k;
    f.invert = (y) => domain[0] + (y - range[0]) / k;
    return f;
  },

  ticks(low, high, step) {
    const found = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9; k++) found.push(page.tidy(k * step));
    return found;
  },

  /* Pieces of SVG as text. */
  line: (x1, y1, x2, y2, cls, more = "") => `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" class="${cls}" ${more}/>`,
  text: (x, y, what, cls = "", more = "") => `<text x="${x}" y="${y}" class="${cls}" ${more}>${what}</text>`,
  path: (points, cls, more = "") => points.length < 2 ? "" :
    `<path d="M${points.map(([x, y]) => `${x.toFixed(2)} ${y.toFixed(2)}`).join("L")}" class="${cls}" ${more}/>`,

  /* An arrow from a point along (dx, dy), one of them 0, with its head at the end. */
  arrow(x, y, dx, dy, cls, more = "") {
    const n = Math.hypot(dx, dy), ux = dx / n, uy = dy / n, x2 = x + dx, y2 = y + dy;
    const head = [[x2, y2], [x2 - 8 * ux - 4.5 * uy, y2 - 8 * uy + 4.5 * ux], [x2 - 8 * ux + 4.5 * uy, y2 - 8 * uy - 4.5 * ux]];
    return `<g class="arrow ${cls}" ${more}><line x1="${x}" y1="${y}" x2="${x2 - 6 * ux}" y2="${y2 - 6 * uy}"/>` +
      `<polygon points="${head.map((p) => p.map((q) => q.toFixed(2)).join(",")).join(" ")}"/></g>`;
  },

  /* A finger on this element drags it, and does not scroll the page; the style touch-action alone does not do for parts of an SVG. */
  holdStill(element) {
    element.addEventListener("touchstart", (e) => e.preventDefault(), {passive: false});
  },

  color: (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim(),

  /* Call `draw` when the element's width changes, or the theme. */
  redrawOn(element, draw) {
    let width = 0;
    new ResizeObserver(() => {
      if (element.clientWidth && element.clientWidth !== width) {
        width = element.clientWidth;
        draw();
      }
    }).observe(element);
    document.addEventListener("theme", draw);
  },

  /* The state behind the # of the address, so that a lecturer can link to it; written when the reader pauses. */
  pending: 0,
  remember(values) {
    const text = Object.entries(values).map(([k, v]) => `${k}=${v}`).join("&"),
      before = location.hash;
    clearTimeout(page.pending);
    page.pending = setTimeout(() => {
      if (location.hash !== before) return; // a new address, whose event is still to come
      try {
        history.replaceState(null, "", `#${text}`);
      } catch {
        /* some browsers forbid this for files: the page works without */
      }
    }, 200);
  },
  recall() {
    return new Map(location.hash.slice(1).split("&").map((part) => part.split("=")).filter((pair) => pair.length === 2));
  },

  /* A group of buttons of which one is pressed. */
  choice(id, chosen) {
    const group = page.byId(id);
    group.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) chosen(button.value);
    });
    return (value) => group.querySelectorAll("button").forEach((b) => b.setAttribute("aria-pressed", String(b.value === value)));
  },

  theme: {
    choices: ["auto", "light", "dark"],
    stored() {
      try {
        const found = localStorage.getItem("theme");
        return page.theme.choices.includes(found) ? found : "auto";
      } catch {
        return "auto";
      }
    },
    apply(choice) {
      const dark = choice === "dark" || (choice === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
      document.documentElement.dataset.theme = dark ? "dark" : "light";
      document.documentElement.dataset.choice = choice;
      document.dispatchEvent(new Event("theme"));
    },
  },

  start() {
    const button = page.byId("theme");
    const show = () => {
      button.textContent = `◐ ${document.documentElement.dataset.choice}`;
    };
    button.addEventListener("click", () => {
      const {choices} = page.theme, next = choices[(choices.indexOf(document.documentElement.dataset.choice) + 1) % 3];
      try {
        localStorage.setItem("theme", next);
      } catch {
        /* then it holds for this visit */
      }
      page.theme.apply(next);
      show();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => page.theme.apply(document.documentElement.dataset.choice));
    show();
    /* Links into the site lead nowhere when the page is opened from the source folder. */
    if (location.protocol === "file:" && /\/docs\/interactive\//.test(location.pathname)) {
      document.querySelectorAll("a.site").forEach((a) => a.replaceWith(...a.childNodes));
      document.querySelectorAll(".site-only").forEach((e) => e.remove());
    }
  },
};
page.theme.apply(page.theme.stored());
