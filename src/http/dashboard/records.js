// Jobs that ended and runners that are gone, from the history, page by page; and a runner's post-mortem.

import { get, query } from './api.js';
import { dialog } from './dialogs.js';
import { $, announce, cell, el, row, set, table, text } from './dom.js';
import { bytes, clock, day, full, jobName, shortOf, span } from './words.js';

const PAGE = 20;
const RESULTS = { succeeded: 'succeeded', failed: 'failed', cancelled: 'cancelled', lost: 'lost its runner', never_ran: 'never ran', unknown: 'not known' };
const COLUMNS = {
  jobs: ['Ended', 'Job', 'Result', 'Waited', 'Ran', 'Memory', 'Processor', 'Pool and runner'],
  runners: ['Ended', 'Runner', 'How', 'Stood idle', 'Exit code'],
};

let filters = null;
// Where each page before this one began.
let places = [null];
let next = null;
let asked = 0;
const lists = {};

export function start(filter) {
  filters = filter;
  for (const [kind, columns] of Object.entries(COLUMNS)) {
    const made = table(kind === 'jobs' ? 'Jobs that ended' : 'Runners that are gone', columns);
    lists[kind] = { ...made, kind };
    $('records').append(made.node);
  }
  for (const [word, means] of Object.entries(RESULTS)) $('records-result').append(el('option', { value: word }, means));
  for (const id of ['records-kind', 'records-result']) $(id).addEventListener('change', () => load());
  $('records-later').addEventListener('click', () => turn(() => places.pop()));
  $('records-earlier').addEventListener('click', () => turn(() => places.push(next)));
}

// From the first page on.
export function load() {
  places = [null];
  return ask();
}

// What is new, where somebody looks at the first page and nowhere into it.
export function refresh() {
  if (places.length === 1 && !$('records').contains(document.activeElement)) ask();
}

async function turn(move) {
  move();
  await ask();
  announce(`Page ${places.length}`);
  $('records').scrollTop = 0;
}

async function ask() {
  const number = asked += 1;
  const kind = $('records-kind').value;
  const result = kind === 'jobs' ? $('records-result').value : '';
  try {
    const page = await get(`${kind === 'jobs' ? 'history' : 'history/runners'}?${query({ ...filters(), result, after: places.at(-1), limit: PAGE })}`);
    if (number === asked) show(kind, page);
  } catch (error) {
    if (number !== asked) return;
    for (const list of Object.values(lists)) list.node.hidden = true;
    note(error.message);
  }
}

function note(words) {
  $('records-none').hidden = !words;
  text($('records-none'), words ?? '');
}

function show(kind, page) {
  next = page.next;
  $('records-result').disabled = kind !== 'jobs';
  for (const list of Object.values(lists)) list.node.hidden = list.kind !== kind || page.items.length === 0;
  lists[kind].body.replaceChildren(...page.items.map(kind === 'jobs' ? job : runner));
  note(page.items.length ? null : kind === 'jobs' ? 'No job that ended fits.' : 'No runner that is gone fits.');
  $('records-later').disabled = places.length === 1;
  $('records-earlier').disabled = !next;
  text($('records-page'), `page ${places.length}`);
}

const ended = (when) => {
  const node = cell('td.nowrap');
  node.append(el('time', { datetime: when, title: full(when) }, `${day(when)} ${clock(when, false)}`));
  return node;
};
const value = (words, name, title = null) => text(set(cell('td.nowrap.short', name), { title }), words);
const known = (number, words) => (number == null ? '–' : words(number));

function job(past) {
  const what = cell();
  what.append(el('b', {}, jobName(past) || 'not known'), el('span.sub', {}, [past.repo, past.run && `run ${past.run}`].filter(Boolean).join(' · ')));
  const result = cell('td.short', 'Result');
  result.append(el('span.result', { 'data-result': past.result }, RESULTS[past.result] ?? past.result));
  const where = cell('td', 'Pool and runner');
  where.append(past.pool, past.runner ? el('span.sub', {}, opens(past.runner)) : '');
  const missing = 'not known';
  const node = row([
    ended(past.ended), what, result, value(known(past.wait_ms, span), 'Waited', past.wait_ms == null ? missing : null), value(known(past.run_ms, span), 'Ran', past.run_ms == null ? missing : null),
    value(known(past.peak_memory_bytes, bytes), 'Memory', past.peak_memory_bytes == null ? missing : 'the most at a time'), value(known(past.cpu_ms, span), 'Processor', past.cpu_ms == null ? missing : 'processor time'), where,
  ]);
  return set(node, { 'data-tone': past.result === 'failed' || past.result === 'lost' ? 'bad' : null });
}

const opens = (name) => el('button.link', { type: 'button', title: name, 'aria-label': `How ${shortOf(name)} ended`, onclick: () => postMortem(name) }, shortOf(name));
const wrong = (gone) => gone.oom_killed || (gone.exit_code ?? 0) !== 0;

function runner(gone) {
  const who = cell();
  who.append(opens(gone.runner), el('span.sub', {}, gone.job ? `ran ${gone.job}` : gone.ran_job ? 'ran a job' : 'ran no job'));
  const how = cell();
  how.append(gone.verdict);
  const node = row([ended(gone.ended), who, how, value(span(gone.idle_ms), 'Stood idle'), value(gone.exit_code == null ? '–' : String(gone.exit_code), 'Exit code')]);
  return set(node, { 'data-tone': wrong(gone) ? 'bad' : null });
}

async function postMortem(name) {
  const state = el('p.muted', { role: 'status' }, 'Asking the history …');
  const box = el('div.post-mortem', {}, state);
  dialog(`How ${shortOf(name)} ended`, [el('p.mono', {}, name), box]);
  try {
    box.replaceChildren(...told(await get(`history/runners/${encodeURIComponent(name)}`)));
  } catch (error) {
    set(state, { class: 'problem' });
    text(state, error.status === 404 ? 'The history has no such runner: it may still stand, or its time is over.' : error.message);
  }
}

function told(gone) {
  const life = Date.parse(gone.ended) - Date.parse(gone.created);
  const facts = [
    ['Job', gone.job ?? (gone.ran_job ? 'one whose name is not known' : 'none')], ['Pool', gone.pool], gone.repo && ['Repository', gone.repo],
    ['Made', full(gone.created)], gone.started && ['In its job since', full(gone.started)], ['Ended', `${full(gone.ended)}, after ${span(life)}`], ['Stood idle', span(gone.idle_ms)],
    ['Exit code', gone.exit_code == null ? 'not known' : String(gone.exit_code)], ['Killed for memory', gone.oom_killed ? 'yes' : 'no'], gone.image && ['Image', gone.image],
  ].filter(Boolean);
  const list = el('dl.facts', {}, facts.map(([what, words]) => [el('dt', {}, what), el('dd', {}, words)]));
  const last = gone.last_lines.length
    ? [el('h3', {}, 'Its last lines'), el('pre.log', { tabindex: '0', 'aria-label': 'Last lines' }, gone.last_lines.join('\n'))]
    : [el('p.muted', {}, 'Nothing of its output was kept.')];
  return [el(wrong(gone) ? 'p.problem' : 'p.strong', {}, gone.verdict), list, ...last];
}
