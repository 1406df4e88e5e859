// Runners as they live, pool by pool: as large tiles, small ones, or dots where there are many.

import { $, el, keyed, set, text } from './dom.js';
import { confirm, dialog, logs, mayOperate, perform } from './dialogs.js';
import { ago, fleet, jobOf } from './store.js';
import { PHASES, duration, full, jobName, shortName } from './words.js';

const LARGE_UP_TO = 60;
const SMALL_UP_TO = 160;
let jobs = new Map();

export function start() {
  for (const [phase, means] of Object.entries(PHASES)) $('runner-phase').append(el('option', { value: phase }, `${phase}: ${means}`));
  for (const id of ['runner-phase', 'runner-size']) $(id).addEventListener('change', draw);
  $('runner-find').addEventListener('input', draw);
  $('runners').addEventListener('keydown', move);
  $('runners').append(el('p.none', { hidden: true }));
}

function matches(runner, phase, find) {
  if (phase && runner.phase !== phase) return false;
  if (!find) return true;
  const job = jobs.get(runner.name);
  const all = [runner.name, runner.container?.name, runner.pool, runner.scope, runner.phase, job?.repo, job && jobName(job)];
  return all.some((part) => part?.toLowerCase().includes(find));
}

export function draw() {
  if (!fleet.status) return;
  jobs = new Map([...fleet.jobs.values()].filter((e) => e.job?.runner).map((e) => [e.job.runner, e.job]));
  const phase = $('runner-phase').value;
  const find = $('runner-find').value.trim().toLowerCase();
  const found = [...fleet.runners.values()].filter((runner) => matches(runner, phase, find));
  const size = $('runner-size').value || (found.length <= LARGE_UP_TO ? 'large' : found.length <= SMALL_UP_TO ? 'small' : 'dots');
  set($('runners'), { class: size });
  const all = fleet.runners.size;
  text($('runners-count'), found.length === all ? String(all) : `${found.length} of ${all}`);
  const none = $('runners').querySelector(':scope > .none');
  none.hidden = found.length > 0;
  text(none, all ? 'Nothing fits.' : 'There is no runner.');
  legend();
  const groups = Map.groupBy(found, (runner) => runner.pool);
  keyed(groupsBox(), [...groups].sort(([a], [b]) => a.localeCompare(b)), ([pool]) => pool, makeGroup, (node, [pool, runners]) => mendGroup(node, pool, runners));
}

function groupsBox() {
  let box = $('runners').querySelector(':scope > .groups');
  if (!box) $('runners').append(box = el('div.groups'));
  return box;
}

function legend() {
  const present = Object.keys(PHASES).filter((phase) => [...fleet.runners.values()].some((runner) => runner.phase === phase));
  keyed($('legend'), present, (phase) => phase, (phase) => el('li', {}, el('span.key', { 'data-phase': phase, 'aria-hidden': 'true' }), `${phase}: ${PHASES[phase]}`), () => {});
}

function makeGroup([pool]) {
  const node = el('details.group', { open: true });
  node.count = el('span.muted');
  node.tiles = el('ul.tiles', { 'aria-label': `Runners of pool ${pool}` });
  node.append(el('summary', {}, el('b', {}, pool), node.count), node.tiles);
  return node;
}

function mendGroup(node, pool, runners) {
  const counts = Object.keys(PHASES).map((phase) => [phase, runners.filter((r) => r.phase === phase).length]).filter(([, n]) => n);
  text(node.count, counts.map(([phase, n]) => `${n} ${phase}`).join(' · '));
  runners.sort((a, b) => a.slot - b.slot || a.name.localeCompare(b.name));
  keyed(node.tiles, runners, (runner) => runner.name, makeTile, mendTile);
  // One stop for the tabulator in each group; arrows move within.
  const tiles = [...node.tiles.querySelectorAll('.tile')];
  if (tiles.length && !tiles.some((tile) => tile.tabIndex === 0)) tiles[0].tabIndex = 0;
}

function makeTile(runner) {
  const tile = el('button.tile.new', { type: 'button', tabindex: '-1', onclick: () => detail(runner.name), onfocus: () => focusOnly(tile) });
  tile.p = { name: el('span.name'), phase: el('span.phase'), more: el('span.more') };
  tile.append(tile.p.name, tile.p.phase, tile.p.more);
  return el('li', {}, tile);
}

function mendTile(node, runner) {
  const tile = node.firstChild;
  const { p } = tile;
  const job = jobs.get(runner.name);
  const since = runner.since ? duration(ago(runner.since)) : '';
  set(tile, { 'data-phase': runner.phase, 'data-runner': runner.name });
  const dots = $('runners').className === 'dots';
  text(p.name, dots ? String(runner.slot) : shortName(runner));
  text(p.phase, since ? `${runner.phase} ${since}` : runner.phase);
  text(p.more, job ? `${jobName(job)} · ${job.repo}` : `${runner.scope}${runner.drained ? ' · to go' : ''}`);
  const whole = `${shortName(runner)}, ${runner.phase}${since && ` for ${since}`}${job ? `, ${jobName(job)} of ${job.repo}` : ''}`;
  set(tile, { title: whole, 'aria-label': whole });
}

function focusOnly(tile) {
  for (const other of tile.closest('.tiles').querySelectorAll('.tile[tabindex="0"]')) other.tabIndex = -1;
  tile.tabIndex = 0;
}

// Arrows, Home and End move among the tiles of a group, as they stand on the screen.
function move(event) {
  const tile = event.target.closest('.tile');
  if (!tile) return;
  const tiles = [...tile.closest('.tiles').querySelectorAll('.tile')];
  const at = tiles.indexOf(tile);
  const top = tiles[0].offsetTop;
  const across = tiles.findIndex((other) => other.offsetTop > top);
  const columns = across === -1 ? tiles.length : across;
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + columns, ArrowUp: at - columns, Home: 0, End: tiles.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  tiles[Math.min(Math.max(to, 0), tiles.length - 1)].focus();
}

function detail(name) {
  const runner = fleet.runners.get(name);
  if (!runner) return;
  const job = jobOf(name);
  const { container: c, github: g } = runner;
  const facts = [
    ['Phase', `${runner.phase}: ${PHASES[runner.phase]}`], runner.since && ['Since', `${full(runner.since)} (${duration(ago(runner.since))})`],
    job && ['Job', `${jobName(job)} of ${job.repo}`], ['Pool', `${runner.pool}, slot ${runner.slot}`], ['Registered in', runner.scope], ['Credentials', runner.credentials],
    ['At GitHub', g ? `number ${g.id}, ${g.online ? 'online' : 'offline'}, ${g.busy ? 'busy' : 'not busy'}` : 'not registered, as far as is known'], g && ['Labels', g.labels.join(', ')],
    ['Container', c ? `${c.name}, ${c.state}${c.exit_code == null ? '' : `, exit code ${c.exit_code}`}` : 'none'], c && ['Made', full(c.created)], c && ['Id', c.id.slice(0, 12)], c && ['Image', c.image_id],
  ].filter(Boolean);
  const list = el('dl.facts', {}, facts.map(([what, value]) => [el('dt', {}, what), el('dd', {}, value)]));
  const d = dialog(`Runner ${shortName(runner)}`, [el('p.mono', {}, name), list]);
  const path = `runners/${encodeURIComponent(name)}`;
  const button = (label, action, kind = 'button') => el(kind, { type: 'button', onclick: () => { d.close(); action(); } }, label);
  d.foot.prepend(button('Output…', () => logs(name, `Output of ${shortName(runner)}`)));
  if (mayOperate()) d.foot.prepend(button('Stop now…', () => stop(runner, path)), button('Drain', () => perform(path, null, 'DELETE')));
}

async function stop(runner, path) {
  const job = jobOf(runner.name);
  const busy = runner.phase === 'busy' || job;
  const lost = job ? `It is in the job ${jobName(job)} of ${job.repo}, queued ${duration(ago(job.queued))} ago. ` : 'It is in a job. ';
  const sure = await confirm({
    title: `Stop ${shortName(runner)} now?`,
    text: busy ? `${lost}That job is killed and fails at GitHub; nothing of it is kept.` : 'It seems to be idle. Should a job begin in this moment, it is killed and fails at GitHub. “Drain” would wait for it.',
    yes: busy ? 'Kill the job and stop' : 'Stop now', danger: true,
  });
  if (sure) perform(`${path}?force=true`, null, 'DELETE');
}
