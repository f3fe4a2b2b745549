"use strict";
// What another threshold would keep: of one source and one signal at a time.
// A signal's `places` are [low, high, documents, otherwise kept], from the lowest to the highest.

const BINS = 40;

/** The signals of a source: written into the page as they are, or compressed. */
async function signalsOf(source) {
  if (source.deflated) {
    const bytes = Uint8Array.from(atob(source.deflated), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    source.signals = await new Response(stream).json();
    delete source.deflated;
  }
  return source.signals;
}

/**
 * How many documents a range keeps, from `least` to `most` of them where a limit is between two known values.
 * An interval holds the values strictly between its ends, the first and last also the smallest and largest of all;
 * a document that has no value passes every limit.
 */
function keptWithin(signal, min, max) {
  const within = signal.within_intervals;
  let least = signal.missing.otherwise_kept, most = least;
  for (const [low, high, , kept] of signal.places) {
    const isInside = low >= min && high <= max;
    const isBelow = high < min || (high === min && low < high && !(within.largest && high === signal.largest));
    const isAbove = low > max || (low === max && low < high && !(within.smallest && low === signal.smallest));
    const isOutside = isBelow || isAbove;
    if (isInside) least += kept;
    if (!isOutside) most += kept;
  }
  return { least, most };
}

/** The limits that the rules set: the narrowest of each kind, or null. */
function limitsOf(signal) {
  const given = (kind) => signal.rules.map((rule) => rule[kind]).filter((value) => value !== null);
  const [mins, maxs] = [given("min"), given("max")];
  return { min: mins.length ? Math.max(...mins) : null, max: maxs.length ? Math.min(...maxs) : null };
}

/** How many documents are dropped by the rules over this signal and by no other. */
function lostTo(signal) {
  const { min, max } = limitsOf(signal);
  return keptWithin(signal, -Infinity, Infinity).least - keptWithin(signal, min ?? -Infinity, max ?? Infinity).least;
}

/** The keys of the rules over a signal, by which the recipe names them. */
const rulesInWords = (signal) => signal.rules.map((rule) => rule.rule).join(", ") || "no rule";

/** Where a limit may be put: every value that tells documents apart. */
function stops(signal) {
  const rules = signal.rules.flatMap((rule) => [rule.min, rule.max]).filter((value) => value !== null);
  return [...new Set([...signal.places.flatMap(([low, high]) => [low, high]), ...rules])].sort((a, b) => a - b);
}

/** Bins for a histogram: each place goes whole into the bin of its middle. */
function binned(signal, limits) {
  const { places } = signal;
  const positive = places.filter(([, high]) => high > 0).map(([low, high]) => low || high);
  const smallest = Math.min(...positive), [first, last] = [places[0][0], places[places.length - 1][1]];
  const isLogarithmic = first >= 0 && positive.length > 0 && last / smallest > 200;
  const scale = isLogarithmic ? logarithmic(smallest) : linear;
  const [from, to] = [scale.at(first), scale.at(last)];
  const width = (to - from) / BINS || 1;
  const back = (place) => (isLogarithmic ? 10 ** place : place);
  const count = to > from ? BINS : 1;
  const bins = Array.from({ length: count }, (_, bin) => ({ low: back(from + bin * width), high: back(from + (bin + 1) * width), kept: 0, others: 0 }));
  bins[0].low = first;
  for (const [low, high, documents, kept] of places) {
    const middle = (scale.at(low) + scale.at(high)) / 2;
    const bin = bins[Math.min(count - 1, Math.floor((middle - from) / width))];
    bin.kept += kept;
    bin.others += documents - kept;
  }
  const thresholds = [["at least", limits.min], ["at most", limits.max]].filter(([, value]) => value !== null);
  return {
    low: bins.map((bin) => bin.low), high: bins.map((bin) => bin.high),
    series: [{ name: "kept by all other rules", values: bins.map((bin) => bin.kept) }, { name: "dropped by another", values: bins.map((bin) => bin.others) }],
    x: signal.signal, unit: "documents", logarithmic: isLogarithmic,
    thresholds: thresholds.map(([name, value]) => ({ name, value })),
  };
}

/** What the chosen limits would keep, in words. */
function answer(source, signal, limits) {
  const { least, most } = keptWithin(signal, limits.min ?? -Infinity, limits.max ?? Infinity);
  const number = least === most ? whole.format(least) : `${whole.format(least)} to ${whole.format(most)}`;
  return {
    number, least, most,
    text: ` of ${whole.format(source.documents)} documents (${source.about ? "about" : "exact"}), today ${whole.format(source.kept)}`,
  };
}

/** A slider and a field for one limit; both work by keyboard. */
function limitControl(kind, value, places, change) {
  const group = document.createElement("fieldset");
  group.className = "limit";
  const title = document.createElement("span");
  title.textContent = kind === "min" ? "at least" : "at most";
  const slider = Object.assign(document.createElement("input"), { type: "range", name: kind, min: 0, max: places.length - 1, step: 1 });
  const field = Object.assign(document.createElement("input"), { type: "number", name: `${kind}-value`, step: "any", value });
  for (const input of [slider, field]) input.setAttribute("aria-label", `Threshold: ${title.textContent}`);
  const nearest = (wanted) => places.reduce((best, place, index) => (Math.abs(place - wanted) < Math.abs(places[best] - wanted) ? index : best), 0);
  const describe = () => slider.setAttribute("aria-valuetext", field.value);
  slider.value = nearest(value);
  slider.addEventListener("input", () => { field.value = places[slider.value]; describe(); change(kind, places[slider.value]); });
  field.addEventListener("input", () => {
    if (field.value === "" || !Number.isFinite(field.valueAsNumber)) return;
    slider.value = nearest(field.valueAsNumber); describe(); change(kind, field.valueAsNumber);
  });
  describe();
  group.append(title, slider, field);
  return group;
}

/** The table behind the histogram. */
function fillTable(body, places) {
  body.replaceChildren(...places.map((place) => {
    const row = document.createElement("tr");
    row.append(...place.map((value, index) => {
      const cell = document.createElement(index ? "td" : "th");
      if (index) cell.className = "n"; else cell.scope = "row";
      cell.textContent = index < 2 ? precise.format(value) : whole.format(value);
      return cell;
    }));
    return row;
  }));
}

/** Connects the section's controls with its chart and its answer. */
function thresholdSection(box, show) {
  const sources = JSON.parse(box.querySelector("script").textContent);
  const [sourceField, signalField] = box.querySelectorAll("select");
  const plot = box.querySelector(".plot"), behind = box.querySelector(".behind"), said = box.querySelector(".answer");
  let signals = [], limits = {};

  const source = () => sources[sourceField.value];
  const signal = () => signals[signalField.value];
  const tell = () => {
    const { number, least, text: rest } = answer(source(), signal(), limits);
    const strong = document.createElement("b");
    strong.textContent = number;
    if (signal().rules.length) said.replaceChildren("would keep ", strong, rest);
    else said.replaceChildren("No rule of this source is about this signal.");
    said.dataset.kept = least;
    show(plot, "histogram", binned(signal(), limits));
  };
  const chooseSignal = () => {
    limits = limitsOf(signal());
    box.querySelector(".doc").textContent = signal().doc;
    plot.setAttribute("aria-label", `Distribution of ${signal().signal} in ${source().source}. The numbers are in the table behind it.`);
    const given = Object.entries(limits).filter(([, value]) => value !== null);
    const controls = given.map(([kind, value]) => limitControl(kind, value, stops(signal()), (which, limit) => { limits[which] = limit; tell(); }));
    box.querySelector(".limits").replaceChildren(...controls);
    if (behind.open) fillTable(behind.querySelector("tbody"), signal().places);
    tell();
  };
  const chooseSource = async () => {
    signals = (await signalsOf(source())).filter((each) => each.places.length);
    signalField.replaceChildren(...signals.map((each, index) => new Option(`${each.signal} (${rulesInWords(each)})`, index)));
    const losses = signals.map((each) => (each.rules.length ? lostTo(each) : -1));
    signalField.value = Math.max(0, losses.indexOf(Math.max(...losses)));
    if (signals.length) chooseSignal();
  };
  sourceField.addEventListener("change", chooseSource);
  signalField.addEventListener("change", chooseSignal);
  behind.addEventListener("toggle", () => { if (behind.open) fillTable(behind.querySelector("tbody"), signal().places); });
  return chooseSource();
}
