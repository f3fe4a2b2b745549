"use strict";
// The page comes alive: charts are drawn when they come into view, in the colours of light or dark.

const drawn = new Map();  // plot -> its chart, kind and data

/** Draws a chart into its place, or draws it anew. */
function show(plot, kind, data) {
  const known = drawn.get(plot);
  plot.dataset.height ||= plot.clientHeight;
  plot.style.height = `${Number(plot.dataset.height) + 20 * Math.max(0, legendRows(data.series || [], plot.clientWidth) - 1)}px`;
  const chart = known ? known.chart : echarts.init(plot, null, { renderer: "svg" });
  chart.resize();
  chart.setOption(KINDS[kind](data, plot.clientWidth), { notMerge: true });
  drawn.set(plot, { chart, kind, data });
}

/** Draws the chart of a figure from the data beside it. */
function drawFigure(figure) {
  const plot = figure.querySelector(".plot");
  if (!drawn.has(plot)) show(plot, figure.dataset.kind, JSON.parse(figure.querySelector("script").textContent));
}

function redrawAll() {
  for (const [plot, { kind, data }] of drawn) show(plot, kind, data);
}

const isShown = (element) => element.checkVisibility() && element.clientWidth > 0;

function drawWhenSeen(figures) {
  const watch = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((each) => each.isIntersecting)) {
      watch.unobserve(entry.target);
      drawFigure(entry.target);
    }
  }, { rootMargin: "400px" });
  for (const figure of figures) {
    figure.querySelector(".plot").hidden = false;
    watch.observe(figure);
  }
}

/** Charts are as wide as their places. */
function followSizes() {
  let waiting = 0;
  window.addEventListener("resize", () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => {
      for (const [plot, { kind, data }] of drawn) {
        if (!isShown(plot)) continue;
        show(plot, kind, data);
      }
    });
  });
}

/** A table that is wider than its place says so. */
function markWideTables(boxes) {
  const mark = (box) => {
    const isWide = box.scrollWidth > box.clientWidth + 1;
    if (box.classList.toggle("overflows", isWide) && !box.hasHint) {
      const hint = document.createElement("span");
      hint.className = "more";
      hint.textContent = "More columns to the right \u2192";
      box.before(hint);
      box.hasHint = hint;
    }
    if (box.hasHint) box.hasHint.hidden = !isWide;
  };
  const watch = new ResizeObserver((entries) => entries.forEach((entry) => mark(entry.target)));
  boxes.forEach((box) => watch.observe(box));
}

/** Definitions open under the term that was asked about. */
function placeDefinitions() {
  document.addEventListener("click", (event) => {
    const term = event.target.closest(".term");
    if (!term) return;
    const definition = document.getElementById(term.getAttribute("popovertarget"));
    const place = term.getBoundingClientRect();
    const left = Math.max(16, Math.min(place.left, innerWidth - Math.min(400, innerWidth - 16)));
    const isLow = place.bottom > innerHeight - 160;
    Object.assign(definition.style, { inset: "auto", margin: 0, left: `${left}px`, [isLow ? "bottom" : "top"]: `${isLow ? innerHeight - place.top + 6 : place.bottom + 6}px` });
  }, true);
}

/** The entry of the section that is being read. */
function followReading(sections) {
  const entries = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  const watch = new IntersectionObserver((changes) => {
    for (const { target, isIntersecting } of changes) {
      if (!isIntersecting || !entries.has(target.id)) continue;
      entries.forEach((link) => link.removeAttribute("aria-current"));
      entries.get(target.id).setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-15% 0px -80% 0px" });
  sections.forEach((section) => watch.observe(section));
}

/** On paper everything is open but samples, and every chart is drawn, in light colours. */
function preparePrinting() {
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("main details:not(.sample, .behind)")].filter((each) => !each.open);
    opened.forEach((each) => { each.open = true; });
    document.documentElement.classList.add("printing");
    [...document.querySelectorAll("figure.chart")].filter(isShown).forEach(drawFigure);
    redrawAll();
  });
  addEventListener("afterprint", () => {
    opened.forEach((each) => { each.open = false; });
    document.documentElement.classList.remove("printing");
    redrawAll();
  });
}

/** On a phone the contents are folded, until they are asked for. */
function foldContents() {
  const contents = document.querySelector(".contents"), isNarrow = matchMedia("(max-width: 60rem)");
  const fold = () => { contents.open = !isNarrow.matches; };
  isNarrow.addEventListener("change", fold);
  contents.addEventListener("click", (event) => { if (event.target.closest("a")) fold(); });
  fold();
}

/** A link to something folded unfolds it. */
function unfoldTargets() {
  const unfold = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target instanceof HTMLDetailsElement) target.open = true;
  };
  addEventListener("hashchange", unfold);
  unfold();
}

function start() {
  foldContents();
  unfoldTargets();
  placeDefinitions();
  drawWhenSeen(document.querySelectorAll("figure.chart"));
  markWideTables(document.querySelectorAll(".scroll"));
  followReading(document.querySelectorAll("main > section"));
  followSizes();
  preparePrinting();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
  const box = document.querySelector(".thresholds");
  if (box) {
    box.hidden = false;
    thresholdSection(box, show);
  }
  performance.mark("interactive");
}

start();
