// What was, from the daemon's history: waits, jobs and use over a day, a week or a month, by pool and repository, as plots
// and as tables. Asked for when it is first seen, and once a minute from then on.

import { get, query } from './api.js';
import { BOTTOM, HEIGHT, LEFT, RIGHT, TOP, cursorLine, figure, keyOf, moment, nice, stepped, svg, tell, upright } from './chart.js';
import { $, cell, el, keyed, row, set, table, text } from './dom.js';
import * as records from './records.js';
import { fleet } from './store.js';
import { clock, day, full, plural, span } from './words.js';

const RANGES = { '1d': { step: '1h', words: 'the last day' }, '7d': { step: '6h', words: 'the last week' }, '30d': { step: '1d', words: 'the last 30 days' } };
const EVERY = 60000;

const WAITS = [['p50_ms', 'p50: half waited no longer'], ['p95_ms', 'p95'], ['p99_ms', 'p99']];
const other = (p) => p.jobs - p.succeeded - p.failed - p.lost;
const mean = (p, part) => (p.use?.seen_ms ? p.use[part] / p.use.seen_ms : 0);
const tenth = (n) => String(Math.round(n * 10) / 10);
export const share = (used) => {
  const all = used.busy_ms + used.idle_ms + used.other_ms;
  return all ? `${Math.round((100 * used.busy_ms) / all)} %` : '–';
};

// Each plot: lines or bars, its unit, and a step in words.
const PLOTS = [
  {
    title: 'Waiting for a runner', lines: WAITS, has: (p) => p.wait.count > 0, value: (p, of) => p.wait[of],
    keys: WAITS,
    words: (p) => (p.wait.count ? `p50 ${span(p.wait.p50_ms)}, p95 ${span(p.wait.p95_ms)}, p99 ${span(p.wait.p99_ms)}` : 'no job'),
  },
  {
    title: 'Jobs that ended', unit: 'jobs', has: () => true,
    bars: [['succeeded', (p) => p.succeeded], ['failed', (p) => p.failed + p.lost], ['other', other]],
    keys: [['succeeded', 'succeeded'], ['failed', 'failed, or lost their runner'], ['other', 'others']],
    words: (p) => `${plural(p.jobs, 'job')}${p.failed + p.lost ? `, ${p.failed + p.lost} failed` : ''}`,
  },
  {
    title: 'Runners, on average', unit: 'runners', has: (p) => Boolean(p.use),
    bars: [['busy', (p) => mean(p, 'busy_ms')], ['idle', (p) => mean(p, 'idle_ms')], ['coming', (p) => mean(p, 'other_ms')]],
    keys: [['busy', 'busy'], ['idle', 'idle'], ['coming', 'coming or going']],
    words: (p) => (p.use ? `${tenth(mean(p, 'busy_ms'))} busy of ${tenth(mean(p, 'busy_ms') + mean(p, 'idle_ms') + mean(p, 'other_ms'))} standing, ${share(p.use)} used` : 'not known'),
  },
];

const nodes = [];
let series = null;
let stats = null;
let cursor = null;
let asked = 0;
// Whether it was seen, and whether it was asked for.
let wanted = false;
let begun = false;
let list = null;
let tables = null;

export function start() {
  for (const plot of PLOTS) {
    const keys = plot.keys.map(([name, word]) => el('li', {}, plot.lines ? el(`span.key.stroke-key.k-${name}`, { 'aria-hidden': 'true' }) : keyOf(colour(name)), word));
    const made = figure(plot.title, keys, { point: (part) => { cursor = part; readings(); }, step });
    $('past-grid').append(made.node);
    nodes.push({ plot, ...made });
  }
  for (const id of ['past-range', 'past-pool', 'past-repo']) $(id).addEventListener('change', begin);
  $('past-table-of').addEventListener('toggle', show);
  new ResizeObserver(show).observe($('past-grid'));
  records.start(filter);
  new IntersectionObserver((entries, observer) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    wanted = true;
    draw();
  }, { rootMargin: '300px' }).observe($('past'));
  setInterval(again, EVERY);
}

// Begins as soon as it is seen and known whether there is a history at all.
export function draw() {
  if (!wanted || begun || !fleet.status) return;
  begun = true;
  begin();
}

function begin() {
  if (!fleet.status.history) return none({ status: 404 });
  load();
  records.load();
}

function again() {
  if (!begun || document.hidden || !fleet.status.history) return;
  load();
  records.refresh();
}

// The colours of a page's other parts mean the same here.
const colour = (name) => ({ succeeded: 'idle', failed: 'bad', other: 'exited' })[name] ?? name;

const filter = () => ({ since: $('past-range').value, pool: $('past-pool').value, repo: $('past-repo').value });

async function load() {
  const number = asked += 1;
  const whom = filter();
  try {
    const both = await Promise.all([get(`stats/series?${query({ ...whom, step: RANGES[whom.since].step })}`), get(`stats?${query(whom)}`)]);
    if (number !== asked) return;
    [series, stats] = both;
    for (const point of series.points) point.t = Date.parse(point.start);
    none(null);
    choices('past-pool', 'all pools', [...new Set([...fleet.pools.keys(), ...stats.pools.map((pool) => pool.name)])].sort());
    if (!whom.repo) choices('past-repo', 'all repositories', stats.repos.map((repo) => repo.name).filter(Boolean));
    show();
  } catch (error) {
    if (number === asked) none(error);
  }
}

// Why there is nothing to show; the rest of the page goes on without.
function none(error) {
  $('past-none').hidden = !error;
  for (const part of document.querySelectorAll('.of-past')) part.hidden = Boolean(error);
  if (!error) return;
  const off = error.status === 404;
  text($('past-none'), off ? 'No history is kept: [history] in the configuration has enabled = false.' : `The history gives no answer: ${error.message}. It is asked again in a minute; everything else on this page goes on.`);
}

function choices(id, all, names) {
  const node = $(id);
  const chosen = node.value;
  const offered = ['', ...names.slice(0, 500)];
  if (chosen && !offered.includes(chosen)) offered.push(chosen);
  keyed(node, offered, (name) => `=${name}`, (name) => el('option', { value: name }, name || all), () => {});
  node.value = chosen;
}

function show() {
  if (!series || $('past-grid').hidden) return;
  for (const node of nodes) paint(node);
  readings();
  sums();
  if ($('past-table-of').open) asTable();
}

// ---- Plots ----

const ends = () => ({ from: Date.parse(series.since), to: Date.parse(series.since) + series.points.length * series.step_ms });
const across = (width) => { const { from, to } = ends(); return (t) => LEFT + ((t - from) / (to - from)) * (width - LEFT - RIGHT); };

// In which unit so many milliseconds are told.
function unitOf(most) {
  if (most < 120e3) return ['seconds', 1e3];
  return most < 7200e3 ? ['minutes', 60e3] : ['hours', 3600e3];
}

function paint({ plot, picture }) {
  const width = picture.clientWidth || 400;
  const x = across(width);
  const points = series.points.filter(plot.has);
  const height = plot.lines ? (p) => Math.max(...plot.lines.map(([of]) => plot.value(p, of))) : (p) => plot.bars.reduce((sum, [, value]) => sum + value(p), 0);
  const most = Math.max(...points.map(height), 0);
  const [unit, size] = plot.lines ? unitOf(most) : [plot.unit, 1];
  const ticks = nice(most / size);
  const y = (value) => TOP + (1 - value / ticks.at(-1)) * (HEIGHT - TOP - BOTTOM);
  set(picture, { viewBox: `0 0 ${width} ${HEIGHT}` });
  const parts = [...upright(width, y, ticks, unit), ...times(width, x)];
  if (!points.some((p) => height(p) > 0)) parts.push(svg('text', { x: width / 2, y: HEIGHT / 2, 'text-anchor': 'middle', class: 'empty' }, plot.bars && plot.unit === 'runners' && $('past-repo').value ? 'Not known for a single repository.' : 'Nothing in this time.'));
  else if (plot.lines) parts.push(...lines(plot, x, (value) => y(value / size)));
  else parts.push(...bars(plot, points, x, y));
  picture.replaceChildren(...parts, cursorLine());
}

// Steps without a job break a line; one that stands alone is a dot.
function* lines(plot, x, y) {
  const middle = (p) => x(p.t + series.step_ms / 2).toFixed(1);
  for (const [of] of plot.lines) {
    let run = [];
    const runs = [];
    for (const p of series.points) {
      if (plot.has(p)) run.push(p);
      else if (run.length) { runs.push(run); run = []; }
    }
    if (run.length) runs.push(run);
    for (const one of runs) {
      const d = one.map((p) => `${middle(p)} ${y(plot.value(p, of)).toFixed(1)}`);
      yield svg('path', { class: `stroke w-${of}`, d: `M${d.join('L')}` });
      for (const p of one.length === 1 || series.points.length <= 31 ? one : []) yield svg('circle', { class: `w-${of}`, cx: middle(p), cy: y(plot.value(p, of)).toFixed(1), r: 2 });
    }
  }
}

function* bars(plot, points, x, y) {
  for (const p of points) {
    const [left, right] = [x(p.t) + 1, x(p.t + series.step_ms) - 1];
    let below = 0;
    for (const [name, value] of plot.bars) {
      const above = below + value(p);
      if (above > below) yield svg('rect', { class: `c-${name}`, x: left.toFixed(1), width: Math.max(right - left, 1).toFixed(1), y: y(above).toFixed(1), height: Math.max(y(below) - y(above), 0.5).toFixed(1) });
      below = above;
    }
  }
}

// Whole hours or days by this machine's clock.
function* times(width, x) {
  const { from, to } = ends();
  const hours = Math.round((to - from) / 3600e3);
  const room = Math.max(2, width / (hours <= 48 ? 80 : 95));
  const every = (hours <= 48 ? [3, 4, 6, 12] : [24, 48, 120, 168, 240]).find((step) => hours / step <= room) ?? 240;
  const at = new Date(from);
  at.setHours(0, 0, 0, 0);
  for (let n = 0; at < to && n < 200; n += 1) {
    if (at >= from) yield* moment(width, x(at.getTime()), hours <= 48 ? clock(at, false) : day(at));
    if (every < 24) at.setHours(at.getHours() + every);
    else at.setDate(at.getDate() + every / 24);
  }
}

// ---- Reading ----

const step = (event) => {
  const count = series?.points.length ?? 0;
  const to = count ? stepped(event, at(), count) : null;
  if (to !== null) { cursor = (to + 0.5) / count; readings(); }
};

const at = () => (cursor === null ? series.points.length - 1 : Math.min(Math.floor(cursor * series.points.length), series.points.length - 1));

const when = (p) => `${day(p.t)}, ${clock(p.t, false)}`;

function readings() {
  if (!series) return;
  const point = series.points[at()];
  for (const node of nodes) {
    const words = cursor === null ? `${RANGES[$('past-range').value].words}: ${whole(node.plot)}` : `from ${when(point)}: ${node.plot.words(point)}`;
    tell(node, words, at(), series.points.length, cursor === null ? null : across(node.picture.clientWidth || 400)(point.t + series.step_ms / 2));
  }
}

// The whole time in one sentence.
function whole(plot) {
  const { total } = stats;
  if (plot.lines) return plot.words(total);
  if (plot.unit === 'jobs') return plot.words(total);
  const use = { seen_ms: 0, busy_ms: 0, idle_ms: 0, other_ms: 0 };
  for (const p of series.points) for (const part of p.use ? Object.keys(use) : []) use[part] += p.use[part];
  return plot.words({ use: use.seen_ms ? use : null });
}

// ---- Tables ----

const NUMBERS = ['Jobs', 'Failed', 'Wait p50', 'p95', 'p99', 'Run p50'];
const numbers = (f) => [f.jobs, f.failed + f.lost, span(f.wait.p50_ms, f.wait.count), span(f.wait.p95_ms, f.wait.count), span(f.wait.p99_ms, f.wait.count), span(f.run.p50_ms, f.run.count)].map(String);

function sums() {
  if (!tables) {
    tables = { pools: table('By pool', ['Pool', ...NUMBERS, 'Used', 'Most busy']), repos: table('By repository', ['Repository', ...NUMBERS]) };
    $('past-pools').append(tables.pools.node);
    $('past-repos').append(tables.repos.node);
  }
  const used = new Map(stats.usage.map((of) => [of.pool, of]));
  const line = (f, more) => [f.name || 'not known', ...numbers(f), ...more];
  const pools = stats.pools.map((f) => line(f, used.has(f.name) ? [share(used.get(f.name)), String(used.get(f.name).max_busy)] : ['–', '–']));
  fill(tables.pools, pools, ['Pool', ...NUMBERS, 'Used', 'Most busy']);
  fill(tables.repos, stats.repos.slice(0, 50).map((f) => line(f, [])), ['Repository', ...NUMBERS]);
  text($('past-repos-count'), stats.repos.length > 50 ? `the first 50 of ${stats.repos.length}` : String(stats.repos.length));
}

function fill({ body }, rows, columns) {
  body.replaceChildren(...rows.map((values) => row(values.map((value, n) => text(n ? cell('td.num', columns[n]) : cell('td.strong'), value)))));
}

function asTable() {
  if (!list) {
    list = table('Waits, jobs and runners over time', ['From', 'Jobs', 'Failed', 'Wait p50', 'p95', 'p99', 'Busy', 'Standing']);
    list.node.classList.remove('stack');
    $('past-table').append(list.node);
  }
  const standing = (p) => mean(p, 'busy_ms') + mean(p, 'idle_ms') + mean(p, 'other_ms');
  const rows = series.points.toReversed().map((p) => {
    const known = p.use ? [tenth(mean(p, 'busy_ms')), tenth(standing(p))] : ['–', '–'];
    const values = [when(p), ...numbers({ ...p, run: { count: 0 } }).slice(0, 5), ...known];
    return row(values.map((value, n) => text(set(cell('td'), n ? {} : { title: full(p.t) }), value)));
  });
  list.body.replaceChildren(...rows);
}
