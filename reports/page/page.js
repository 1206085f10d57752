"use strict";
// Shows what is chosen. Every number comes from Python as it is in the tables; nothing is computed here but places on paper.
const data = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";
const byId = id => document.getElementById(id);

// Elements ---------------------------------------------------------------------------------------------------------------
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter(child => child !== null && child !== undefined));
  return element;
}
const html = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);
const svg = (name, attributes = {}, ...children) => fill(document.createElementNS(SVG, name), attributes, children);
const number = (value, digits = 1) => value === null || value === undefined ? "–" : value.toFixed(digits).replace("-", "−");

function table(head, rows, caption) {
  const cell = (value, at) => at ? html("td", {}, value) : html("th", { scope: "row" }, value);
  return html("div", { class: "scroll" }, html("table", {},
    caption ? html("caption", {}, caption) : null,
    html("thead", {}, html("tr", {}, ...head.map(name => html("th", { scope: "col" }, name)))),
    html("tbody", {}, ...rows.map(row => html("tr", {}, ...row.map(cell))))));
}
const folded = (summary, ...children) => html("details", {}, html("summary", {}, summary), ...children);

// A picture with its numbers as text.
function figure(title, picture, head, rows) {
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", `${title}. The numbers stand below it.`);
  return html("figure", {}, html("figcaption", {}, title), picture, folded("Numbers", table(head, rows)));
}

function select(label, options, value, change) {
  const box = html("select", { onchange: event => change(event.target.value) });
  setOptions(box, options, value);
  return html("label", {}, html("span", {}, label), box);
}
function setOptions(box, options, value) {
  const same = box.options.length === options.length && options.every(([key], at) => box.options[at].value === key);
  if (!same) box.replaceChildren(...options.map(([key, text]) => html("option", { value: key }, text)));
  box.value = value;
}

// Pictures ---------------------------------------------------------------------------------------------------------------
const MARKERS = [
  "M-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0", "M-3-3h6v6h-6z", "M0-4L4 3H-4z", "M0-4.5L4 0L0 4.5L-4 0z", "M0 4L4-3H-4z",
  "M-1.3-4h2.6v2.7H4v2.6H1.3V4h-2.6V1.3H-4v-2.6h2.7z", "M-4-2l2-2l2 2l2-2l2 2l-2 2l2 2l-2 2l-2-2l-2 2l-2-2l2-2z",
  "M0-4.5l1.2 3.2h3.3l-2.6 2l1 3.3L0 2.2L-2.9 4l1-3.3l-2.6-2h3.3z", "M-4 0L3-4V4z", "M4 0L-3-4V4z",
];
const look = title => data.styles[title] || [0, 1];
const marker = (x, y, [colour, filled], more = {}) => svg("path", {
  d: MARKERS[colour % MARKERS.length], transform: `translate(${x},${y})`, class: `mark c${colour}${filled ? "" : " hollow"}`, ...more,
});

function ticks(low, high, many) {
  const rough = (high - low) / many || 1, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(one => one * power).find(one => one >= rough);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + 1e-9 * step; at++) found.push(Number((at * step).toPrecision(10)));
  return found;
}
function logTicks(low, high) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
    for (const digit of [1, 2, 5]) if (digit * 10 ** power >= low && digit * 10 ** power <= high) found.push(digit * 10 ** power);
  if (found.length < 2) return ticks(low, high, 4);
  return found.length > 6 ? found.filter(one => /^1(e|0*$)|^0\.0*1$/.test(String(one))) : found;
}
const widthOf = (box, most) => Math.max(240, Math.min(most, (box.clientWidth || 300) - (box.id === "row" ? 36 : 0)));
const extent = values => [Math.min(...values), Math.max(...values)];

// Axes with grid; returns the picture and where values lie on it.
function axes(width, height, x, y, right) {
  const left = 44, top = 10, bottom = 38, inner = width - left - right, tall = height - top - bottom;
  const place = axis => axis.log ? value => Math.log(value / axis.low) / Math.log(axis.high / axis.low)
    : value => (value - axis.low) / (axis.high - axis.low || 1);
  const atX = place(x), atY = place(y), px = value => left + inner * atX(value), py = value => top + tall * (1 - atY(value));
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height });
  for (const tick of y.ticks || ticks(y.low, y.high, 4)) picture.append(
    svg("line", { x1: left, x2: left + inner, y1: py(tick), y2: py(tick), class: "line" }),
    svg("text", { x: left - 6, y: py(tick) + 4, "text-anchor": "end" }, String(tick).replace("-", "−")));
  for (const tick of x.ticks || (x.log ? logTicks(x.low, x.high) : ticks(x.low, x.high, width / 60))) picture.append(
    svg("line", { x1: px(tick), x2: px(tick), y1: top + tall, y2: top + tall + 4, class: "line" }),
    svg("text", { x: px(tick), y: top + tall + 17, "text-anchor": "middle" }, x.names ? x.names[tick] : String(tick)));
  picture.append(svg("text", { x: left + inner / 2, y: height - 4, "text-anchor": "middle", class: "soft" }, x.label));
  return { picture, px, py, left, top, inner, tall };
}

// Heights near to the wanted ones that are `gap` apart.
function spread(wanted, gap, low, high) {
  const order = wanted.map((_, at) => at).sort((a, b) => wanted[a] - wanted[b]), placed = [];
  let before = low - gap;
  for (const at of order) before = placed[at] = Math.max(wanted[at], before + gap);
  let after = high + gap;
  for (const at of order.reverse()) after = placed[at] = Math.min(placed[at], after - gap);
  return placed;
}

// series: {name, style, points: [[x, y, spread]], soft}; marks: {x, y, text, style}; shade: [low, high]; dashed: places on x.
function lines(box, { title, x, y, series, marks = [], shade = null, dashed = [], most = 460, height = 240 }) {
  const width = widthOf(box, most), all = series.flatMap(one => one.points), named = series.filter(one => one.name);
  const ys = [...all.flatMap(([, value, sd]) => [value - (sd || 0), value + (sd || 0)]), ...marks.map(mark => mark.y)];
  let [low, high] = extent(ys);
  const room = 0.06 * (high - low) || 1;
  [low, high] = [low - room, high + room];
  if (y.fromZero && low > -0.1 * high) low = Math.min(0, low + room);
  if (shade) high = Math.max(high, 1.2 * (shade[0] > low ? shade[0] : shade[1]));
  if (y.label.endsWith("(%)")) high = Math.min(high, 102);
  const [first, last] = extent([...all.map(([value]) => value), ...dashed]);
  const right = named.length ? 18 + 7.4 * Math.max(...named.map(one => one.name.length)) : 12;
  const xAxis = { low: first, high: last === first ? first + 1 : last, label: x.label, ticks: x.ticks, log: x.log };
  const isBanded = ({ soft, points }) => !soft && points.some(([, , sd]) => sd);
  const { picture, px, py, left, top, inner, tall } = axes(width, height, xAxis, { low, high }, right);
  if (shade) {
    const [from, to] = [Math.min(shade[1], high), Math.max(shade[0], low)].map(py);
    if (to > from) picture.append(svg("rect", { x: left, width: inner, y: from, height: to - from, class: "shade" }));
  }
  for (const at of dashed) picture.append(svg("line", { x1: px(at), x2: px(at), y1: top, y2: top + tall, class: "dashed" }));
  for (const { points, style } of series.filter(isBanded)) {
    const up = points.map(([at, value, sd]) => `${px(at)},${py(value + (sd || 0))}`);
    const down = points.map(([at, value, sd]) => `${px(at)},${py(value - (sd || 0))}`).reverse();
    picture.append(svg("polygon", { points: [...up, ...down].join(" "), class: `band c${style[0]}` }));
  }
  for (const { points, style, soft } of series) {
    picture.append(svg("polyline", {
      points: points.map(([at, value]) => `${px(at)},${py(value)}`).join(" "), class: `path ${soft ? "faint" : `c${style[0]}`}`,
    }));
    if (!soft && points.length < 13) picture.append(...points.map(([at, value]) => marker(px(at), py(value), style)));
  }
  const ends = named.map(one => one.points[one.points.length - 1]), placed = spread(ends.map(end => py(end[1])), 14, top + 4, top + tall - 2);
  named.forEach((one, at) => picture.append(
    svg("line", { x1: px(ends[at][0]), y1: py(ends[at][1]), x2: left + inner + 8, y2: placed[at], class: `leader c${one.style[0]}` }),
    svg("text", { x: left + inner + 11, y: placed[at] + 4 }, one.name)));
  for (const mark of marks) picture.append(
    svg("text", { x: px(mark.x), y: py(mark.y) + 5, "text-anchor": "middle", class: `sign c${mark.style}` }, mark.sign));
  const head = [x.label, ...series.map(one => one.name || one.words || y.label)];
  const steps = [...new Set(all.map(([value]) => value))].sort((a, b) => a - b);
  const rows = steps.map(step => [String(step), ...series.map(one => {
    const point = one.points.find(([value]) => value === step);
    return point ? number(point[1], y.digits ?? 1) + (point[2] ? ` ± ${number(point[2], y.digits ?? 1)}` : "") : "–";
  })]);
  const banded = series.some(isBanded) ? `${title}; bands: one standard deviation` : title;
  const words = marks.length ? `${banded}. Marks: ${marks.map(mark => `${mark.sign} ${mark.text}`).join(", ")}` : banded;
  return figure(words, picture, head, rows);
}

// rows: {name, style, mean, low, high, bold}.
function dots(box, { title, label, rows, digits = 1, most = 460, columns = ["mean", "from", "to"] }) {
  const width = widthOf(box, most), named = 14 + 7.2 * Math.max(...rows.map(row => row.name.length)), line = 22;
  const left = Math.min(named, width * 0.45), shown = rows.filter(row => row.mean !== null);
  let [low, high] = extent(shown.flatMap(row => [row.low ?? row.mean, row.high ?? row.mean]));
  const room = 0.06 * (high - low) || 1;
  [low, high] = [low - room, high + room];
  const inner = width - left - 14, bottom = rows.length * line + 6, px = value => left + inner * (value - low) / (high - low);
  const picture = svg("svg", { viewBox: `0 0 ${width} ${bottom + 36}`, width, height: bottom + 36 });
  for (const tick of ticks(low, high, inner / 70)) picture.append(
    svg("line", { x1: px(tick), x2: px(tick), y1: 4, y2: bottom, class: tick ? "line" : "zero" }),
    svg("text", { x: px(tick), y: bottom + 15, "text-anchor": "middle" }, String(tick).replace("-", "−")));
  picture.append(svg("text", { x: left + inner / 2, y: bottom + 32, "text-anchor": "middle", class: "soft" }, label));
  rows.forEach((row, at) => {
    const y = (at + 0.5) * line + 4;
    picture.append(svg("text", { x: left - 8, y: y + 4, "text-anchor": "end", class: row.bold ? "bold" : "" }, row.name));
    if (row.mean === null) return;
    if (row.low !== null) picture.append(svg("line", { x1: px(row.low), x2: px(row.high), y1: y, y2: y, class: `whisker c${row.style[0]}` }));
    picture.append(marker(px(row.mean), y, row.style));
  });
  return figure(title, picture, ["", ...columns], rows.map(row => [row.name, ...[row.mean, row.low, row.high].map(value => number(value, digits))]));
}

// points: [[x, y]] of each series, x a number or a word; mark: the published x.
function scatter(box, { title, x, series, mark, ring, most = 300 }) {
  const values = [...series[0].points.map(([value]) => value), mark], words = values.some(value => isNaN(Number(value)) || value === "");
  const names = words ? [...new Set([mark, ...values])] : null, place = value => words ? names.indexOf(value) : Number(value);
  const [from, to] = extent(values.map(place)), log = !words && from > 0 && to > 10 * from, room = words ? 0.5 : 0.06 * (to - from) || 1;
  const xAxis = log ? { low: from / 1.15, high: to * 1.15, log } : { low: from - room, high: to + room };
  const [low, high] = extent(series.flatMap(one => one.points.map(([, value]) => value))), more = 0.1 * (high - low) || 1;
  const width = widthOf(box, most);
  const { picture, px, py, top, tall } = axes(width, 200, { ...xAxis, label: x, ticks: words ? names.map((_, at) => at) : undefined, names },
    { low: low - more, high: high + more }, 12);
  picture.append(svg("line", { x1: px(place(mark)), x2: px(place(mark)), y1: top, y2: top + tall, class: "dashed" }));
  for (const { points, style } of series) points.forEach(([value, height], at) => {
    picture.append(marker(px(place(value)), py(height), style));
    if (at === ring) picture.append(svg("circle", { cx: px(place(value)), cy: py(height), r: 8, class: "ring" }));
  });
  return figure(title, picture, [x, ...series.map(one => one.name)],
    series[0].points.map(([value], at) => [String(value), ...series.map(one => number(one.points[at][1]))]));
}

function heat(names, matrix, caption, total = null) {
  const shade = value => `background:color-mix(in srgb, var(--mark) ${Math.round(0.6 * value)}%, transparent)`;
  const rows = matrix.map((row, at) => html("tr", {}, html("th", { scope: "row" }, names[at]),
    ...row.map((value, column) => html("td", { style: value ? shade(value) : null, class: column === at ? "diagonal" : null },
      value === null ? "" : value >= 0.5 ? value.toFixed(0) : value > 0 ? "<1" : "0")),
    total ? html("td", {}, number(100 - row[at])) : null));
  const heads = names.map(name => html("th", { scope: "col" }, html("span", {}, name)));
  return html("div", { class: "scroll" }, html("table", { class: "heat" }, html("caption", {}, caption),
    html("thead", {}, html("tr", {}, html("th", {}), ...heads, total ? html("th", { scope: "col" }, html("span", {}, total)) : null)),
    html("tbody", {}, ...rows)));
}

// Choosing ---------------------------------------------------------------------------------------------------------------
const FIELDS = [["scale", "Scale"], ["dataset", "Data set"], ["noise", "Noise"], ["rate", "Rate"], ["table", "Rows of"],
  ["measure", "Measure"], ["rule", "Rule"]];
const state = {}, boxes = {};
const percent = rate => rate ? `${Number((100 * rate).toPrecision(6))} %` : "–";
const NAMES = {
  scale: name => name, dataset: name => data.datasets[name], noise: name => data.noises[name], rate: percent,
  table: name => data.tables[name], measure: name => data.measures[name][0], rule: name => data.rules[name],
};

// What can be chosen in a field after what is chosen in those before it.
function choices(field) {
  const before = FIELDS.slice(0, Math.min(5, FIELDS.findIndex(([name]) => name === field))).map(([name]) => name);
  const views = data.views.filter(view => before.every(name => view[name] === state[name]));
  if (!["measure", "rule"].includes(field)) return [...new Set(views.map(view => view[field]))];
  const keys = Object.keys(views[0].results).map(key => key.split("/"));
  return [...new Set(field === "measure" ? keys.map(([measure]) => measure)
    : keys.filter(([measure]) => measure === state.measure).map(([, rule]) => rule))];
}
function settle() {
  for (const [field] of FIELDS) {
    const found = choices(field);
    if (!found.includes(state[field])) state[field] = field === "rate" ? found[found.length - 1] : found[0];
    setOptions(boxes[field], found.map(value => [value, NAMES[field](value)]), state[field]);
  }
}
const chosenView = () => data.views.find(view => FIELDS.slice(0, 5).every(([name]) => view[name] === state[name]));
const chosenKey = () => `${state.measure}/${state.rule}`;
const flip = text => text.startsWith("+") ? `−${text.slice(1)}` : text.startsWith("−") ? `+${text.slice(1)}` : text;

// One row less another: texts of mean, low and high, p, and whether it is sure; null where they cannot be compared.
function pair(found, many, one, two) {
  if (one === two) return null;
  const [a, b] = one < two ? [one, two] : [two, one], kept = found.pairs[a * many - a * (a + 1) / 2 + b - a - 1];
  if (!kept) return null;
  const [mean, low, high, p, sure, n] = kept;
  return one < two ? { mean, low, high, p, sure, n } : { mean: flip(mean), low: flip(high), high: flip(low), p, sure, n };
}
const interval = ({ mean, low, high }) => `${mean} [${low}, ${high}]`;
const ofP = p => p.startsWith("<") ? `p ${p}` : `p = ${p}`;
const where = view => `${data.datasets[view.dataset]}, ${data.noises[view.noise]}${view.rate ? `, ${percent(view.rate)}` : ""}`;
const bestFirst = found => found.mean.map((_, at) => at).sort((a, b) => (found.mean[b] ?? -1e9) - (found.mean[a] ?? -1e9));
const value = (text, unit) => unit === "points" ? `${text} %` : text;

function answer(view, found) {
  const [, unit] = data.measures[state.measure], order = bestFirst(found).filter(at => found.mean[at] !== null);
  const [first, second] = order, name = at => view.rows[at][0];
  const opens = html("button", { type: "button", class: "open", "aria-controls": "row", disabled: view.rows[first][2] < 0, onclick: () => openRow(name(first)) }, name(first));
  const best = html("b", {}, opens, ` ${value(found.text[first], unit)}`);
  if (second === undefined) return [best, " is the only row."];
  const gap = pair(found, view.rows.length, first, second), next = `${name(second)} (${value(found.text[second], unit)})`;
  if (!gap) return ["Best: ", best, `. Second: ${next}. These runs cannot tell them apart: ${found.rank[first] || "they share too few seeds or test images"}.`];
  const few = gap.n < 5 ? " Fewer than five seeds are no ground for a rank." : "";
  return ["Best: ", best, ". It is ", html("b", {}, gap.sure ? "told apart" : "not told apart"),
    ` from the second, ${next}: ${interval(gap)} ${unit}, ${ofP(gap.p)}, ${gap.n} seeds.${few}`];
}

function rowsTable(view, found) {
  const order = bestFirst(found), [, unit] = data.measures[state.measure];
  const seeds = view.rows.map(([, , detail]) => detail < 0 ? "" : String(data.details[detail].seeds.length)), alike = new Set(seeds).size === 1;
  const rows = order.map(at => {
    const [title, , detail] = view.rows[at], gap = pair(found, view.rows.length, at, order[0]);
    const open = html("button", { type: "button", class: "open", "aria-expanded": String(state.row === title), "aria-controls": "row", disabled: detail < 0,
      onclick: () => openRow(state.row === title ? null : title) }, title);
    const text = found.text[at];
    return [open, found.best[at] ? html("b", {}, text) : text, found.rank[at], gap ? interval(gap) : "", ...(alike ? [] : [seeds[at]])];
  });
  const head = ["Method", NAMES.measure(state.measure) + (unit === "points" ? " (%)" : ""), "rank", "less the best", ...(alike ? [] : ["seeds"])];
  return table(head, rows, `${where(view)}; ${NAMES.rule(state.rule)}; ${view.scale} scale${alike ? `; ${seeds[0]} seeds` : ""}`);
}

function rowPictures(box, view, found) {
  const [title, unit, decimals] = data.measures[state.measure], label = unit === "points" ? `${title} (%)` : title;
  const shown = bestFirst(found).filter(at => found.mean[at] !== null).map(at => ({
    name: view.rows[at][0], style: look(view.rows[at][0]), mean: found.mean[at], bold: found.best[at],
    low: found.sd[at] === null ? null : found.mean[at] - found.sd[at], high: found.sd[at] === null ? null : found.mean[at] + found.sd[at],
  }));
  const pictures = [dots(box, { title: "Mean over seeds, one standard deviation to each side", label, rows: shown, digits: decimals })];
  return [...pictures, ...overRates(box, view, chosenKey(), label, decimals)];
}

// The same rows at every rate.
function overRates(box, view, key, label, digits, most = 460) {
  const beside = data.views.filter(one => ["scale", "dataset", "noise", "table"].every(name => one[name] === view[name]) && one.results[key]);
  if (beside.length < 2) return [];
  const series = view.rows.map(([name]) => ({ name, style: look(name), points: beside.flatMap(one => {
    const at = one.rows.findIndex(row => row[0] === name), found = one.results[key];
    return at < 0 || found.mean[at] === null ? [] : [[100 * one.rate, found.mean[at], found.sd[at]]];
  }) })).filter(one => one.points.length);
  const title = `${data.datasets[view.dataset]}: ${data.measures[key.split("/")[0]][0].toLowerCase()} against the rate of ${data.noises[view.noise]}`;
  return [lines(box, { title, x: { label: "rate (%)", ticks: beside.map(one => 100 * one.rate) }, y: { label, digits }, series, most,
    height: Math.max(240, 15 * series.length + 60) })];
}

// One row ----------------------------------------------------------------------------------------------------------------
function openRow(title) {
  state.row = title;
  show();
  if (!title) return;
  const row = byId("row");
  row.focus({ preventScroll: true });
  if (row.getBoundingClientRect().top > innerHeight / 2) row.scrollIntoView();  // else one does not see that it opened
}

function rowDetail(box, view, found) {
  const at = view.rows.findIndex(([title]) => title === state.row), detail = at < 0 ? null : data.details[view.rows[at][2]];
  if (!detail) return [];
  const close = html("button", { type: "button", onclick: () => {
    const title = state.row;
    openRow(null);
    [...document.querySelectorAll("#rows .open")].find(button => button.textContent === title)?.focus();
  } }, "Close");
  const noise = detail.realised ? ` Wrong labels realised: ${number(detail.realised)} %.` : "";
  const others = detail.against ? ` Not all runs were made here: records of ${detail.against}.` : "";
  const classes = detail.classes.map((name, c) => ({ name, style: look(state.row), mean: detail.by_class[c]?.[0] ?? null, ...around(detail.by_class[c]) }));
  const pictures = html("div", { class: "pictures" });
  const most = 420;
  if (detail.course) pictures.append(courseOf(box, view, detail, most));
  if (detail.by_class.length) pictures.append(dots(box, { title: "Accuracy of each class, last epoch, one standard deviation to each side",
    label: "accuracy (%)", rows: classes, most }));
  for (const curve of detail.mechanism) pictures.append(mechanism(box, curve, most));
  return [html("div", { class: "panel" },
    html("h3", {}, `${state.row}: ${where(view)} `, close),
    html("p", {}, `${detail.seeds.length} of ${detail.asked} seeds.${noise}${others} ${detail.missing.join("; ")}`),
    detail.confusion.length ? html("p", { class: "rarest" }, rarest(detail)) : null,
    ...comparison(box, view, found, at), pictures,
    ...(detail.confusion.length ? [heat(detail.classes, detail.confusion,
      "Confusions: true class (row), predicted class (column), per cent of the row, all seeds, last epoch")] : []),
    ...settingsOf(detail), ...runsOf(detail, found.runs[at]))];
}
const around = entry => entry && entry[1] !== null ? { low: entry[0] - entry[1], high: entry[0] + entry[1] } : { low: null, high: null };

function courseOf(box, view, detail, most) {
  const { mean, sd, marks, best_epoch } = detail.course, last = mean.length;
  const points = curve => curve.mean.map((one, at) => [at + 1, one, curve.sd[at]]);
  const other = view.rows.find(([title, method]) => method === "baseline" && title !== state.row);
  const below = other && other[2] >= 0 ? data.details[other[2]].course : null;
  const series = [{ style: look(state.row), points: points(detail.course), words: state.row }];
  if (below) series.unshift({ style: look(other[0]), points: points(below).map(([x, y]) => [x, y, 0]), soft: true, words: other[0] });
  return lines(box, { title: `Test accuracy after each epoch${below ? `; thin: ${other[0]}` : ""}`, x: { label: "epoch" }, y: { label: "accuracy (%)" }, series, most,
    marks: [
      { x: Math.min(best_epoch, last), y: marks.best, sign: "★", text: `best epoch ${number(marks.best)}`, style: 4 },
      { x: Math.max(1, last - 2), y: marks.last5, sign: "━", text: `mean of the last five ${number(marks.last5)}`, style: 1 },
      { x: last, y: marks.last, sign: "●", text: `last ${number(marks.last)}`, style: 0 },
    ] });
}

function mechanism(box, curve, most) {
  const points = curve.mean.map((one, at) => [at + 1, one, curve.sd[at]]), large = Math.max(...curve.mean.map(Math.abs)) >= 10;
  const title = curve.title + (curve.idle ? "; shaded: the idea is idle" : "") + (curve.idles ? `. Idle here: ${curve.idles}` : "");
  return lines(box, { title, x: { label: "epoch" }, y: { label: curve.title, digits: large ? 1 : 3, fromZero: true }, series: [{ style: look(state.row), points }], shade: curve.idle, most });
}

function rarest(detail) {
  const sizes = detail.train || detail.test || [];
  const at = sizes.reduce((least, size, c) => size > 0 && (least < 0 || size < sizes[least]) ? c : least, -1);
  if (at < 0) return "";
  const row = detail.confusion[at], wrong = row.reduce((most, share, c) => c !== at && (most < 0 || share > row[most]) ? c : most, -1);
  const of = detail.train ? "training" : "test";
  return `Rarest class: ${detail.classes[at]} (${sizes[at]} ${of} images). ${number(row[at])} % of its test images are right; ` +
    `most often it is taken for ${detail.classes[wrong]} (${number(row[wrong])} %).`;
}

function comparison(box, view, found, at) {
  const others = view.rows.map(([title], other) => [String(other), title]).filter(([other]) => Number(other) !== at && view.rows[other][2] >= 0);
  if (!others.length) return [];
  if (!others.some(([, title]) => title === state.other)) state.other = null;
  const two = view.rows.findIndex(([title]) => title === state.other);
  const pick = select("Compare with", [["", "nothing"], ...others], state.other ? String(two) : "", chosen => {
    state.other = chosen ? view.rows[chosen][0] : null;
    show();
    document.querySelector("#row select").focus();
  });
  if (two < 0) return [pick];
  const gap = pair(found, view.rows.length, at, two), [, unit] = data.measures[state.measure];
  const said = gap ? html("p", { class: "said" }, html("b", {}, `${state.row} less ${state.other}: ${interval(gap)} ${unit}`),
    `, ${ofP(gap.p)}, ${gap.n} seeds: ${gap.sure ? "told apart" : "not told apart"}. ${NAMES.measure(state.measure)}, ${NAMES.rule(state.rule)}.`)
    : html("p", { class: "said" }, "These rows share too few seeds or test images to be compared.");
  return [pick, said, ...classGaps(box, view, at, two)];
}

function classGaps(box, view, one, two) {
  const { rows, pairs, n } = view.classes, places = [one, two].map(at => rows.indexOf(at));
  if (places.includes(-1)) return [];
  const [a, b] = [...places].sort((x, y) => x - y), turned = places[0] > places[1];
  const found = pairs[a * rows.length - a * (a + 1) / 2 + b - a - 1], detail = data.details[view.rows[one][2]];
  const numeric = text => Number(text.replace("−", "-"));
  const shown = detail.classes.map((name, c) => {
    if (!found[c].length) return { name, style: look(state.row), mean: null, low: null, high: null };
    const [mean, low, high] = turned ? [flip(found[c][0]), flip(found[c][2]), flip(found[c][1])] : found[c];
    return { name, style: look(state.row), mean: numeric(mean), low: numeric(low), high: numeric(high) };
  });
  return [dots(box, { title: `${state.row} less ${state.other}, each class, last epoch: points and 95 % interval (not adjusted), ${n} seeds`,
    label: "points", rows: shown, columns: ["mean", "low", "high"] })];
}

function settingsOf(detail) {
  const all = data.settings[detail.settings], known = all.some(([, published]) => published);
  if (!all.length) return [];
  const changed = all.filter(([, published, here]) => known && published && published !== here);
  const head = ["setting", "published", "here"];
  return [folded(`Settings: ${known ? `${changed.length} of ${all.length} differ from the published ones` : `${all.length}`}`,
    html("div", { class: "settings" }, ...(changed.length ? [table(head, changed)] : []), folded("All settings", table(head, all))))];
}

function runsOf(detail, values) {
  const line = html("code", {}, command(detail.ids[0])), digits = data.measures[state.measure][2] + 1;
  const rows = detail.ids.map((id, at) => [String(detail.seeds[at]), values[at] === null ? "–" : number(values[at], digits),
    html("button", { type: "button", class: "id", onclick: () => { line.textContent = command(id); } }, id)]);
  return [folded(`Runs (${detail.ids.length}), and how to repeat one`,
    html("p", {}, "Repeat one: ", line, html("br"), html("span", { class: "soft" }, "Choose an id for its command.")),
    table(["seed", NAMES.measure(state.measure), "id"], rows))];
}
const command = id => `python -m benchmark reproduce ${id} --results ${data.results}`;

function show() {
  settle();
  const view = chosenView(), found = view.results[chosenKey()];
  byId("answer").replaceChildren(...answer(view, found));
  byId("rows").replaceChildren(rowsTable(view, found));
  byId("row-pictures").replaceChildren(...rowPictures(byId("row-pictures"), view, found));
  replace(byId("row"), rowDetail(byId("row"), view, found));
}

// Other sections ---------------------------------------------------------------------------------------------------------
// New contents of a box, in which what was open stays open.
function replace(box, children) {
  const name = summary => `${summary.closest("figure")?.querySelector("figcaption").textContent} ${summary.textContent}`;
  const open = new Set([...box.querySelectorAll("details[open] > summary")].map(name));
  box.replaceChildren(...children);
  for (const summary of box.querySelectorAll("details > summary")) summary.parentElement.open = open.has(name(summary));
}
// A section whose pictures follow a choice among groups; hidden where there are none.
function section(name, label, groups, draw) {
  const place = byId(name), there = groups.length > 0;
  place.hidden = !there;
  document.querySelector(`nav [data-for=${name}]`).hidden = !there;
  if (!there) return () => {};
  let chosen = 0;
  const again = () => replace(place.querySelector(".shown"), [html("p", { class: "printed" }, groups[chosen].title), ...draw(groups[chosen], place.querySelector(".shown"))]);
  const options = groups.map((group, at) => [String(at), group.title]);
  place.querySelector(".pick").append(select(label, options, "0", at => { chosen = Number(at); again(); }));
  return again;
}

const KINDS = { all: "all images", clear: "clear images", ambiguous: "ambiguous images", wrong: "images with a wrong label" };
function people(group, box) {
  const names = Object.keys(group.rows), narrow = Math.min(360, widthOf(box, 1200));
  const pictures = Object.entries(KINDS).filter(([kind]) => kind in group.images).map(([kind, words]) => dots(box, {
    title: `${words[0].toUpperCase()}${words.slice(1)} (${group.images[kind].toLocaleString("en")})`, label: "divergence from people's votes", digits: 4, most: narrow,
    columns: ["mean", "low", "high"],
    rows: names.map(name => {
      const [mean, low, high] = group.rows[name][kind] || [null, null, null];
      const method = name.split(":")[0];
      return { name: name.replace(": label distribution", "").replace(": softmax (control)", " (softmax)"), style: data.styles[method] || [9, 1], mean, low, high };
    }),
  }));
  return [html("p", { class: "soft" }, "Jensen-Shannon divergence between people's votes and labels, or a method's label distribution; further left is closer to people. Bars: 95 % interval over seeds and images, or over seeds if the noise changes which images are meant. "),
    html("div", { class: "pictures" }, ...pictures), html("p", {}, html("a", { href: "#table2" }, "The table behind it"))];
}

const measured = data.measures[data.start[0]][0].toLowerCase();  // of what was drawn beside this page, too
function tuning(group, box) {
  const methods = [...new Set(group.rows.map(([method]) => method))], found = [];
  const titles = name => data.views.flatMap(view => view.rows).find(row => row[1] === name)?.[0] || name;
  const style = name => look(titles(name));
  if (group.kind === "budget") {
    for (const [at, label] of [[1, "draws of settings"], [2, "minutes of training a seed"]]) found.push(lines(box, {
      title: `Expected ${measured} of what held-out labels choose, against ${label}`, x: { label, log: at === 2 }, y: { label: `${measured} (%)` },
      series: methods.map(name => ({ name: titles(name), style: style(name), points: group.rows.filter(row => row[0] === name).map(row => [row[at], row[3], row[4] || 0]) })),
    }));
  } else {
    for (const name of methods) for (const option of [...new Set(group.rows.filter(row => row[0] === name).map(row => row[2]))]) {
      const rows = group.rows.filter(row => row[0] === name && row[2] === option), held = rows.map(row => row[5]);
      found.push(scatter(box, { title: `${titles(name)}: ${option}`, x: option, mark: rows[0][4], ring: held.indexOf(Math.max(...held)),
        series: [{ name: `${measured} on test images (%)`, style: [1, 1], points: rows.map(row => [row[3], row[6]]) }, { name: "accuracy on held-out labels (%)", style: [4, 1], points: rows.map(row => [row[3], row[5]]) }] }));
    }
  }
  const words = group.kind === "budget" ? "" : `Each pair of marks is one draw of settings: ${measured} on test images (square) and accuracy on held-out noisy labels (triangle down). Dashed: the published value. Ringed: the draw that held-out labels choose.`;
  return [html("p", { class: "soft" }, words), html("div", { class: "pictures" }, ...found)];
}

// Colours of the lines of one method under several kinds or rates of noise.
const LEVELS = [[2, 1], [4, 1], [7, 1], [1, 1], [3, 1], [0, 1]];
const level = at => LEVELS[at % LEVELS.length];

function mechanisms(group, box) {
  const pictures = group.curves.map(curve => {
    const large = Object.values(curve.lines).flat().some(([mean]) => Math.abs(mean) >= 10);
    const series = Object.entries(curve.lines).map(([name, points], at) => ({ name, style: level(at), points: points.map(([mean, sd], epoch) => [epoch + 1, mean, sd]) }));
    return lines(box, { title: curve.title + (curve.idle ? "; shaded: the idea is idle" : ""), x: { label: "epoch" },
      y: { label: curve.axis, digits: large ? 1 : 3, fromZero: true }, series, shade: curve.idle, most: 400 });
  });
  return [html("p", { class: "soft" }, "A line for each rate of noise: mean over seeds."), html("div", { class: "pictures" }, ...pictures)];
}

function sweeps(group, box) {
  const pictures = group.options.map(option => {
    const values = [...new Set(Object.values(option.lines).flat().map(([value]) => value)), ...Object.values(option.marks)];
    const marks = Object.entries(option.marks).map(([name, value]) => `${name === "scale" ? "the scale's" : name} ${value}`).join(", ");
    const title = `${option.title}: ${measured} on test images` + (marks ? `; dashed: ${marks}` : ""), label = `${measured} (%)`;
    const bars = ([value, mean, sd]) => ({ mean, low: sd ? mean - sd : null, high: sd ? mean + sd : null, value });
    if (values.some(value => value === "" || isNaN(Number(value)))) {
      const rows = Object.entries(option.lines).flatMap(([name, points], at) => points.map(bars).map(row => ({ ...row, name: `${row.value}, ${name}`, style: level(at) })));
      return dots(box, { title: `${title}; bars: one standard deviation`, label, rows });
    }
    const series = Object.entries(option.lines).map(([name, points], at) => ({ name, style: level(at),
      points: points.map(([value, mean, sd]) => [Number(value), mean, sd]).sort(([a], [b]) => a - b) }));
    const [from, to] = extent(values.map(Number)), at = [...new Set(series.flatMap(one => one.points.map(([value]) => value)))];
    return lines(box, { title, x: { label: option.title, log: from > 0 && to > 10 * from, ticks: at.length < 7 ? at : undefined }, y: { label }, series,
      dashed: Object.values(option.marks).map(Number), most: 520 });
  });
  return [html("p", { class: "soft" }, "Means over seeds."), html("div", { class: "pictures" }, ...pictures)];
}

function confusions(group) {
  const pictures = Object.entries(group.rows).map(([name, matrix]) => heat(group.classes, matrix, name));
  return [html("p", { class: "soft" }, "True class (row), predicted class (column), per cent of the row: mean over seeds, last epoch."), html("div", { class: "pictures" }, ...pictures)];
}

function noise(group) {
  const wrong = "wrong", asked = group.asked.length ? heat(group.classes, group.asked, "As asked for", wrong) : html("p", { class: "soft" }, "This kind names no matrix.");
  return [html("p", { class: "soft" }, `True class (row), label that it gets (column), per cent of the row. Realised: mean over ${group.n} seeds. Empty: the records keep only how many labels of a class are wrong.`),
    html("div", { class: "pictures" }, asked, heat(group.classes, group.made, "As realised", wrong))];
}

// Tables that sort, figures that grow, claims that open ------------------------------------------------------------------
function sortable(table) {
  table.querySelectorAll("thead th").forEach((head, column) => {
    const button = html("button", { type: "button" }, ...head.childNodes);
    head.append(button);
    let up = false;
    const read = row => {
      const cell = row.cells[column];
      return cell.dataset.sort !== undefined ? Number(cell.dataset.sort) : cell.textContent.trim();
    };
    button.onclick = () => {
      up = !up;
      const body = table.tBodies[0], isFixed = row => row.classList.contains("below");
      const rows = [...body.rows].filter(row => !isFixed(row)), fixed = [...body.rows].filter(isFixed);
      rows.sort((a, b) => {
        const [x, y] = [read(a), read(b)], numbers = (typeof x === "number") - (typeof y === "number");
        if (numbers) return -numbers;
        const order = typeof x === "number" ? x - y : x.localeCompare(y, undefined, { numeric: true });
        return up ? order : -order;
      });
      body.append(...rows, ...fixed);
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
    };
  });
}
function openTarget() {
  const target = location.hash.length > 1 && byId(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let place = target; place; place = place.parentElement?.closest("details")) if (place.tagName === "DETAILS") place.open = true;
  target.closest("details")?.setAttribute("open", "");
  target.scrollIntoView();
}

// Start ------------------------------------------------------------------------------------------------------------------
document.querySelectorAll("table.sortable").forEach(sortable);
for (const image of document.images) {
  image.onclick = () => image.classList.toggle("large");
  image.onkeydown = event => { if (event.key === "Enter" || event.key === "Escape") image.classList.toggle("large", event.key === "Enter"); };
}
document.querySelectorAll(".js").forEach(place => place.classList.remove("js"));
const drawn = [
  section("people", "Labels", data.people, people),
  section("tuning", "Picture", [...data.budget.map(group => ({ ...group, kind: "budget", title: `Budget: ${group.title}` })),
    ...data.sensitivity.map(group => ({ ...group, kind: "sensitivity", title: `Sensitivity: ${group.title}` }))], tuning),
  section("mechanisms", "Labels", data.mechanisms, mechanisms),
  section("sweeps", "Method", data.sweeps, sweeps),
  section("confusions", "Labels", data.confusions, confusions),
  section("noise", "Noise", data.noise, noise),
];
if (data.views.length) {
  [state.measure, state.rule] = data.start;
  for (const [name] of FIELDS.slice(0, 5)) if (name !== "rate") state[name] = data.views[0][name];
  for (const [field, label] of FIELDS) {
    const place = select(label, [], "", chosen => { state[field] = chosen; show(); });
    boxes[field] = place.querySelector("select");
    boxes[field].name = field;
    byId("choose").append(place);
  }
  const first = byId("first-picture");
  drawn.push(show);
  if (first) drawn.push(() => first.replaceChildren(...firstPictures(first)));
} else {
  byId("explore").hidden = true;
}
function firstPictures(box) {
  const key = data.start.join("/"), { table, scale } = data.views[0], label = `${data.measures[data.start[0]][0]} (%)`, done = new Set();
  return data.views.filter(view => view.table === table && view.scale === scale && view.results[key]).flatMap(view => {
    const name = `${view.dataset} ${view.noise}`;
    if (done.has(name)) return [];
    done.add(name);
    return overRates(box, view, key, label, 1, 560);
  });
}
let width = 0;
function draw() {
  if (width === document.body.clientWidth) return;
  width = document.body.clientWidth;
  drawn.forEach(again => again());
}
draw();
addEventListener("resize", draw);
addEventListener("hashchange", openTarget);
openTarget();
