"use strict";
// What is drawn of a chart's data: one function a kind, each gives the options of Apache ECharts.
// Names and labels are text from outside: they reach the page by textContent, or as text of the SVG, alone.

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const palette = () => [1, 2, 3, 4, 5, 6, 7, 8].map((number) => colour(`c${number}`));

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const precise = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });

/** A number in a tooltip. */
function inWords(value, unit) {
  if (value === null || value === undefined) return "none";
  if (unit === "share") return percent.format(value);
  return `${Number.isInteger(value) ? whole.format(value) : precise.format(value)} ${unit}`;
}

/** A number at an axis. */
const atAxis = (unit) => (value) => (unit === "share" ? percent.format(value) : compact.format(value));

/** A tooltip as an element: lines are [colour or null, text]. */
function tip(title, lines) {
  const box = document.createElement("div");
  box.className = "tip";
  const head = document.createElement("b");
  head.textContent = title;
  box.append(head);
  for (const [shade, text] of lines) {
    const line = document.createElement("span");
    if (shade) {
      const square = document.createElement("i");
      square.style.background = shade;
      line.append(square);
    }
    line.append(text);
    box.append(line);
  }
  return box;
}

const LONGEST_NAME = 240;  // pixels in a legend
const text = () => ({ color: colour("dim"), fontFamily: "system-ui, sans-serif", fontSize: 12 });

function base(unit) {
  return {
    animation: false,
    color: palette(),
    textStyle: text(),
    grid: { left: 4, right: 20, top: 34, bottom: 4, outerBoundsMode: "same", outerBoundsContain: "all" },
    legend: { top: 0, left: 0, itemWidth: 12, itemHeight: 10, textStyle: { ...text(), width: LONGEST_NAME, overflow: "truncate" }, type: "plain" },
    tooltip: { confine: true, backgroundColor: colour("raised"), borderColor: colour("line"), padding: 10, unit },
  };
}

/** How many rows the legend takes: about 6.5 pixels a letter, and the mark. */
function legendRows(series, width) {
  const widths = series.map(({ name }) => Math.min(LONGEST_NAME, 6.5 * name.length) + 34);
  return Math.ceil(widths.reduce((sum, each) => sum + each, 0) / width);
}

function valueAxis(unit, name = "") {
  return {
    type: "value", name, nameLocation: "middle", nameGap: 28, nameTextStyle: text(), splitNumber: 4,
    axisLabel: { ...text(), formatter: atAxis(unit), hideOverlap: true },
    axisLine: { show: false }, axisTick: { show: false }, splitLine: { lineStyle: { color: colour("line") } },
  };
}

function nameAxis(names, width) {
  return {
    type: "category", data: names, inverse: true, axisTick: { show: false },
    axisLine: { lineStyle: { color: colour("line") } },
    axisLabel: { ...text(), color: colour("text"), width: Math.min(180, width * 0.3), overflow: "truncate", interval: 0 },
  };
}

/** Lines from low to high across the bars of a series, `shift` of `count` in each category. */
function whiskers(intervals, shift, count) {
  const draw = (params, api) => {
    const [low, high] = [api.value(1), api.value(2)].map((value) => api.coord([value, api.value(0)]));
    const band = (api.size([0, 1])[1] * 0.7) / count;
    const y = low[1] + (shift - (count - 1) / 2) * band;
    const line = (shade, lineWidth) => ([x1, y1, x2, y2]) => ({ type: "line", shape: { x1, y1, x2, y2 }, style: { stroke: shade, lineWidth } });
    const places = [[low[0], y, high[0], y], [low[0], y - 4, low[0], y + 4], [high[0], y - 4, high[0], y + 4]];
    return { type: "group", children: [...places.map(line(colour("ground"), 4)), ...places.map(line(colour("text"), 1.5))] };
  };
  const found = intervals.flatMap((ends, row) => (ends ? [[row, ...ends]] : []));
  return { type: "custom", renderItem: draw, data: found, encode: { x: [1, 2], y: 0 }, silent: true, z: 5, tooltip: { show: false } };
}

function bars({ categories, series, unit, stacked, shades }, width) {
  const option = base(unit);
  const shadeOf = (number) => (shades ? colour(shades[number]) : palette()[number % 8]);
  const shown = series.map((each, number) => ({
    type: "bar", name: each.name, data: each.values, stack: stacked ? "all" : undefined,
    barMaxWidth: 16, barCategoryGap: "30%", barGap: "0%", itemStyle: { color: shadeOf(number) },
  }));
  const drawn = series.flatMap((each, number) => (each.intervals.length ? [whiskers(each.intervals, number, series.length)] : []));
  option.tooltip.trigger = "axis";
  option.tooltip.axisPointer = { type: "shadow" };
  option.tooltip.formatter = (all) => {
    const found = all.filter((each) => each.componentSubType === "bar" && each.value !== null && (!stacked || each.value));
    return tip(found.length ? found[0].name : "", found.map((each) => {
      const ends = series[each.seriesIndex].intervals[each.dataIndex];
      const range = ends ? ` (95 %: ${precise.format(ends[0])} to ${precise.format(ends[1])})` : "";
      return [each.color, `${each.seriesName}: ${inWords(each.value, unit)}${range}`];
    }));
  };
  const value = valueAxis(unit);
  if (unit === "share" && stacked && categories.some((_, row) => series.reduce((sum, each) => sum + each.values[row], 0) > 0.999)) {
    Object.assign(value, { max: 1, interval: 0.25 });
  }
  const legend = series.length > 1 ? option.legend : { show: false };
  const rows = legendRows(series, width);
  return { ...option, legend, grid: { ...option.grid, top: series.length > 1 ? 12 + 20 * rows : 8 }, xAxis: value, yAxis: nameAxis(categories, width), series: [...shown, ...drawn] };
}

/** The area between the ends of the intervals of a curve. */
function intervalArea({ x, intervals }, shade) {
  const known = x.flatMap((place, index) => (intervals[index] ? [[place, ...intervals[index]]] : []));
  const draw = (params, api) => {
    if (params.dataIndex) return undefined;
    const upper = known.map(([place, , high]) => api.coord([place, high]));
    const lower = known.map(([place, low]) => api.coord([place, low])).reverse();
    return { type: "polygon", shape: { points: [...upper, ...lower] }, style: { fill: shade, opacity: 0.18 } };
  };
  return { type: "custom", renderItem: draw, data: known, encode: { x: 0, y: [1, 2] }, silent: true, z: 1, tooltip: { show: false } };
}

/** Two lines, at + and - of `limit`, and what is between them lightly filled. */
function bandSeries(limit, from, to) {
  const draw = (params, api) => {
    const [left, top] = api.coord([from, limit]);
    const [right, bottom] = api.coord([to, -limit]);
    const style = { fill: colour("c5"), opacity: 0.2 };
    return { type: "rect", shape: { x: left, y: top, width: right - left, height: bottom - top }, style };
  };
  return { type: "custom", renderItem: draw, data: [[from, limit, -limit]], encode: { x: 0, y: [1, 2] }, silent: true, z: 0, tooltip: { show: false } };
}

function lines({ series, x, unit, band }, width) {
  const option = base(unit);
  const few = series.every((each) => each.x.length < 25);
  const shown = series.map((each, number) => ({
    type: "line", name: each.name, data: each.x.map((place, index) => [place, each.y[index]]),
    showSymbol: few, symbolSize: 5, connectNulls: true, lineStyle: { width: 1.8 }, itemStyle: { color: palette()[number % 8] },
  }));
  const areas = series.flatMap((each, number) => (each.intervals && each.intervals.some(Boolean) ? [intervalArea(each, palette()[number % 8])] : []));
  const places = series.flatMap((each) => each.x);
  const bands = band ? [bandSeries(band, Math.min(...places), Math.max(...places))] : [];
  option.tooltip.trigger = "axis";
  option.tooltip.formatter = (all) => {
    const found = all.filter((each) => each.componentSubType === "line");
    return tip(found.length ? `${x} ${precise.format(found[0].value[0])}` : "", found.map((each) => [each.color, `${each.seriesName}: ${inWords(each.value[1], unit)}`]));
  };
  const rows = legendRows(series, width);
  return {
    ...option, legend: series.length > 1 ? option.legend : { show: false },
    grid: { ...option.grid, top: series.length > 1 ? 18 + 20 * rows : 14 },
    xAxis: { ...valueAxis("", x), splitLine: { show: false }, min: "dataMin", max: "dataMax" },
    yAxis: { ...valueAxis(unit), scale: !band }, series: [...bands, ...areas, ...shown],
  };
}

/** Places of an axis whose distances are those of logarithms; 0 stands half a decade below the least above it. */
function logarithmic(lowest) {
  const zero = Math.log10(lowest) - 0.5;
  return {
    at: (value) => (value > 0 ? Math.max(Math.log10(value), zero) : zero),
    formatter: (place) => (Math.abs(place - zero) < 1e-9 ? "0" : Number.isInteger(Math.round(place * 1e6) / 1e6) ? compact.format(10 ** place) : ""),
  };
}
const linear = { at: (value) => value, formatter: (value) => compact.format(value) };

function histogram({ low, high, series, x, unit, thresholds, logarithmic: isLogarithmic }) {
  const option = base(unit);
  const scale = isLogarithmic ? logarithmic(Math.min(...[...low, ...high].filter((value) => value > 0))) : linear;
  const shades = series.length > 1 ? [colour("c1"), colour("c5")] : [colour("c1")];
  const bases = low.map(() => 0);
  const stacks = series.map((each) => each.values.map((value, index) => {
    const from = bases[index];
    bases[index] += value;
    return [scale.at(low[index]), scale.at(high[index]), from, bases[index], index];
  }));
  const draw = (shade) => (params, api) => {
    const [left, top] = api.coord([api.value(0), api.value(3)]);
    const [right, bottom] = api.coord([api.value(1), api.value(2)]);
    if (top === bottom) return undefined;
    return { type: "rect", shape: { x: left, y: top, width: Math.max(1.5, right - left - 1), height: bottom - top }, style: { fill: shade } };
  };
  const shown = stacks.map((data, number) => ({
    type: "custom", name: series[number].name, renderItem: draw(shades[number]), data, encode: { x: [0, 1], y: [2, 3] },
    itemStyle: { color: shades[number] },
    markLine: number ? undefined : thresholdLines(thresholds, scale),
  }));
  option.tooltip.trigger = "item";
  option.tooltip.formatter = ({ value }) => tip(
    low[value[4]] === high[value[4]] ? `${x} ${precise.format(low[value[4]])}` : `${x} ${precise.format(low[value[4]])} to ${precise.format(high[value[4]])}`,
    series.map((each, number) => [shades[number], `${each.name}: ${inWords(each.values[value[4]], unit)}`]),
  );
  return {
    ...option, legend: series.length > 1 ? option.legend : { show: false }, grid: { ...option.grid, top: 40 },
    xAxis: {
      ...valueAxis("", x), splitLine: { show: false }, min: scale.at(low[0]), max: scale.at(high[high.length - 1]),
      minInterval: isLogarithmic ? 1 : undefined,
      axisLabel: { ...text(), formatter: scale.formatter, hideOverlap: true },
    },
    yAxis: valueAxis(unit), series: shown,
  };
}

function thresholdLines(thresholds, scale) {
  return {
    symbol: "none", silent: true, animation: false, lineStyle: { color: colour("text"), type: "dashed", width: 1.5 },
    label: { ...text(), color: colour("text"), formatter: ({ data }) => data.title },
    data: thresholds.map(({ name, value }) => ({ xAxis: scale.at(value), title: `${name} ${precise.format(value)}` })),
  };
}

function heatmap({ rows, columns, cells, unit }, width) {
  const option = base(unit);
  const data = cells.flatMap((row, y) => row.flatMap((value, x) => (value ? [[x, y, value]] : [])));
  const most = Math.max(1, ...data.map((cell) => cell[2]));
  option.tooltip.formatter = ({ value }) => tip(rows[value[1]], [[null, `${columns[value[0]]}: ${inWords(value[2], unit)}`]]);
  const roomy = width / columns.length > 100;
  const label = { show: width / columns.length > 50, fontSize: 11, formatter: ({ value }) => compact.format(value[2]) };
  const across = { ...nameAxis(columns, width), inverse: false, position: "top" };
  across.axisLabel = { ...across.axisLabel, width: roomy ? width * 0.7 / columns.length - 8 : 110, rotate: roomy ? 0 : 60, interval: 0 };
  const shaded = data.map((value) => ({ value, label: { color: value[2] > 0.6 * most ? colour("ground") : colour("text") } }));
  return {
    ...option, legend: { show: false }, grid: { ...option.grid, top: 8, bottom: 8 },
    xAxis: across, yAxis: nameAxis(rows, width),
    visualMap: { show: false, min: 0, max: most, inRange: { color: [colour("heat-low"), colour("heat-high")] } },
    series: [{ type: "heatmap", data: shaded, label, itemStyle: { borderColor: colour("ground"), borderWidth: 2 } }],
  };
}

function points({ points: places, line, x, unit }) {
  const option = base(unit);
  const scale = logarithmic(Math.min(...places.map((place) => place[0])));
  const at = ([tokens, score]) => [scale.at(tokens), score];
  option.tooltip.formatter = ({ dataIndex }) => tip(`${whole.format(places[dataIndex][0])} ${x}`, [[null, inWords(places[dataIndex][1], unit)]]);
  const fitted = { type: "line", data: (line || []).map(at), showSymbol: false, silent: true, lineStyle: { type: "dashed", color: colour("dim") }, tooltip: { show: false } };
  return {
    ...option, legend: { show: false }, grid: { ...option.grid, top: 14 },
    xAxis: { ...valueAxis("", x), scale: true, splitLine: { show: false }, axisLabel: { ...text(), formatter: (place) => compact.format(10 ** place), hideOverlap: true } },
    yAxis: { ...valueAxis(unit), scale: true },
    series: [fitted, { type: "scatter", data: places.map(at), symbolSize: 9, itemStyle: { color: colour("c1") } }],
  };
}

const KINDS = { bars, lines, histogram, heatmap, points };
