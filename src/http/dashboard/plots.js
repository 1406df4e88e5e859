// Waiting and use over the last hours: three plots over the same time, with one cursor, and the same as a table.

import { BOTTOM, HEIGHT, LEFT, RIGHT, TOP, cursorLine, figure, keyOf, moment, nice, stepped, svg, tell, upright } from './chart.js';
import { $, cell, el, row, set, table, text } from './dom.js';
import { fleet, nowMs } from './store.js';
import { clock, duration, full } from './words.js';

const BUCKETS = 12;

const runnersOf = (s) => s.busy + s.idle + s.coming + s.other;
// Each plot: what is drawn, its unit on the axis, and a sample in words.
const PLOTS = [
  { title: 'Jobs waiting', unit: 'jobs', areas: [['waiting', (s) => s.waiting]], line: null, words: (s) => `${s.waiting} waiting`, keys: [] },
  { title: 'Oldest wait', unit: 'minutes', areas: [['oldest', (s) => s.oldest_wait_s / 60]], line: null, words: (s) => `the oldest for ${duration(s.oldest_wait_s)}`, keys: [] },
  {
    title: 'Runners', unit: 'runners', line: (s) => s.target, keys: [['busy', 'busy'], ['idle', 'idle'], ['coming', 'coming or going'], [null, 'wanted']],
    areas: [['busy', (s) => s.busy], ['idle', (s) => s.idle], ['coming', (s) => s.coming + s.other]],
    words: (s) => `${s.busy} busy, ${s.idle} idle, ${s.coming + s.other} coming or going, ${s.target} wanted`,
  },
];

const nodes = [];
// The moment that is read, or none: then the latest is.
let cursor = null;

export function start() {
  for (const plot of PLOTS) {
    const keys = plot.keys.map(([name, word]) => el('li', {}, keyOf(name), word));
    const made = figure(plot.title, keys, { point, step });
    $('plot-grid').append(made.node);
    nodes.push({ plot, ...made });
  }
  $('range').addEventListener('change', draw);
  document.querySelector('.table-of').addEventListener('toggle', draw);
  new ResizeObserver(() => draw()).observe($('plot-grid'));
}

function shown() {
  const end = Math.max(nowMs(), fleet.samples.at(-1)?.t ?? 0);
  const from = end - Number($('range').value) * 1000;
  return { from, end, samples: fleet.samples.filter((sample) => sample.t >= from) };
}

export function draw() {
  if (!fleet.status) return;
  const view = shown();
  for (const node of nodes) paint(node, view);
  readings(view);
  if (document.querySelector('.table-of').open) asTable(view);
}

const scale = (view, width) => (t) => LEFT + ((t - view.from) / (view.end - view.from)) * (width - LEFT - RIGHT);

function paint({ plot, picture: node }, view) {
  const width = node.clientWidth || 400;
  const x = scale(view, width);
  const points = thin(view.samples, width);
  const sum = (s) => plot.areas.reduce((all, [, value]) => all + value(s), 0);
  const most = Math.max(...points.map((s) => Math.max(sum(s), plot.line?.(s) ?? 0)), 0);
  const ticks = nice(most);
  const top = ticks.at(-1);
  const y = (value) => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM);
  node.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
  const parts = [...axes(plot, view, width, x, y, ticks)];
  if (points.length === 0) parts.push(svg('text', { x: width / 2, y: HEIGHT / 2, 'text-anchor': 'middle', class: 'empty' }, 'No sample yet; one comes every ten seconds.'));
  for (const run of runs(points)) {
    let base = () => 0;
    for (const [name, value] of plot.areas) {
      const below = base;
      const above = (s) => below(s) + value(s);
      parts.push(svg('path', { class: `area c-${name}`, d: area(run, x, y, below, above) }));
      if (plot.areas.length === 1) parts.push(svg('path', { class: `stroke s-${name}`, d: steps(run, x, y, above) }));
      base = above;
    }
    if (plot.line) parts.push(svg('path', { class: 'stroke dashed s-target', d: steps(run, x, y, plot.line) }));
  }
  parts.push(cursorLine());
  node.replaceChildren(...parts);
}

// Not more points than the picture has columns: of those that share one, the highest.
function thin(samples, width) {
  const each = Math.ceil(samples.length / Math.max(width - LEFT - RIGHT, 1));
  if (each <= 1) return samples;
  const points = [];
  for (let at = 0; at < samples.length; at += each) {
    const group = samples.slice(at, at + each);
    points.push(group.reduce((a, b) => (b.waiting > a.waiting || (b.waiting === a.waiting && runnersOf(b) > runnersOf(a)) ? b : a)));
  }
  return points;
}

// Parts between which nothing was sampled are not joined.
function runs(points) {
  const found = [];
  for (const point of points) {
    const run = found.at(-1);
    if (run && point.t - run.at(-1).t <= Math.max(fleet.every * 4000, 60000)) run.push(point);
    else found.push([point]);
  }
  return found;
}

function steps(run, x, y, value) {
  let d = `M${x(run[0].t).toFixed(1)} ${y(value(run[0])).toFixed(1)}`;
  for (const s of run.slice(1)) d += `H${x(s.t).toFixed(1)}V${y(value(s)).toFixed(1)}`;
  return d;
}

function area(run, x, y, below, above) {
  let back = '';
  for (let at = run.length - 1; at >= 0; at -= 1) {
    const level = y(below(run[at])).toFixed(1);
    back += `${at === run.length - 1 ? `L${x(run[at].t).toFixed(1)} ` : 'V'}${level}`;
    if (at > 0) back += `V${y(below(run[at - 1])).toFixed(1)}H${x(run[at - 1].t).toFixed(1)}`;
  }
  return `${steps(run, x, y, above)}${back.replace(/V[\d.]+(?=V)/g, '')}Z`;
}

function* axes(plot, view, width, x, y, ticks) {
  yield* upright(width, y, ticks, plot.unit);
  const span = (view.end - view.from) / 60000;
  const every = [5, 10, 20, 30, 60, 120].find((minutes) => span / minutes <= Math.max(2, width / 90)) * 60000;
  const offset = new Date().getTimezoneOffset() * 60000;
  for (let t = Math.ceil((view.from - offset) / every) * every + offset; t <= view.end; t += every) {
    yield* moment(width, x(t), clock(t, false));
  }
}

// ---- Reading ----

function point(part) {
  const view = shown();
  read(part === null ? null : view.from + part * (view.end - view.from));
}

function step(event) {
  const { samples } = shown();
  const to = samples.length ? stepped(event, indexAt(samples), samples.length) : null;
  if (to !== null) read(samples[to].t);
}

function indexAt(samples) {
  if (cursor === null) return samples.length - 1;
  let best = 0;
  samples.forEach((sample, at) => { if (Math.abs(sample.t - cursor) < Math.abs(samples[best].t - cursor)) best = at; });
  return best;
}

function read(moment) {
  cursor = moment;
  readings(shown());
}

function readings(view) {
  const at = indexAt(view.samples);
  const sample = view.samples[at];
  for (const node of nodes) {
    const words = sample ? `${cursor === null ? 'now' : clock(sample.t)}: ${node.plot.words(cursor === null ? fleet.now : sample)}` : 'no sample yet';
    const x = cursor === null || !sample ? null : scale(view, node.picture.clientWidth || 400)(sample.t);
    tell(node, words, at, view.samples.length, x);
  }
}

let list = null;

// The range in twelve parts, each with its highest numbers.
function asTable(view) {
  if (!list) {
    list = table('Waiting and use', ['From', 'Most waiting', 'Longest wait', 'Most busy', 'Most runners', 'Most wanted']);
    list.node.classList.remove('stack');
    $('plot-table').append(list.node);
  }
  const width = (view.end - view.from) / BUCKETS;
  const rows = [];
  for (let n = BUCKETS - 1; n >= 0; n -= 1) {
    const from = view.from + n * width;
    const group = view.samples.filter((s) => s.t >= from && s.t < from + width + (n === BUCKETS - 1 ? 1 : 0));
    const most = (value) => String(Math.max(...group.map(value)));
    const values = group.length ? [most((s) => s.waiting), duration(Math.max(...group.map((s) => s.oldest_wait_s))), most((s) => s.busy), most(runnersOf), most((s) => s.target)] : ['–', '–', '–', '–', '–'];
    rows.push(row([clock(from), ...values].map((value, at) => text(set(cell('td'), at ? {} : { title: full(from) }), value))));
  }
  list.body.replaceChildren(...rows);
}
