// Runners that are gone: how each ended, with its last words.

import { $, cell, el, keyed, row, set, table, text } from './dom.js';
import { fleet } from './store.js';
import { clock, duration, full, shortOf } from './words.js';

const SHOWN = 100;
let body = null;
let rest = null;

export function start() {
  const made = table('Ended runners', ['Ended', 'Runner', 'How']);
  body = made.body;
  rest = el('p.none');
  $('ended').append(made.node, rest);
  set($('ended'), { tabindex: '0', role: 'group', 'aria-label': 'List of ended runners' });
  $('ended-kind').addEventListener('change', draw);
}

const wrong = (gone) => gone.oom_killed || !gone.ran_job || (gone.exit_code ?? 0) !== 0;

export function draw() {
  if (!fleet.status) return;
  const found = fleet.ended.filter((gone) => $('ended-kind').value !== 'bad' || wrong(gone));
  text($('ended-count'), `the last ${fleet.ended.length}`);
  keyed(body, found.slice(0, SHOWN), (gone) => `${gone.runner} ${gone.ended}`, make, () => {});
  rest.hidden = found.length > 0 && found.length <= SHOWN;
  text(rest, found.length ? `${found.length - SHOWN} more are not shown.` : 'None.');
}

function make(gone) {
  const [when, who, how] = [cell('td.nowrap'), cell('td'), cell('td')];
  when.append(el('time', { datetime: gone.ended, title: full(gone.ended) }, clock(gone.ended)));
  who.append(el('b', {}, shortOf(gone.runner)), el('span.sub', {}, gone.job ? `ran ${gone.job}` : gone.ran_job ? 'ran a job' : 'ran no job'));
  const life = duration((Date.parse(gone.ended) - Date.parse(gone.created)) / 1000);
  const facts = [`lived ${life}`, gone.exit_code != null && `exit code ${gone.exit_code}`, gone.oom_killed && 'out of memory'];
  how.append(gone.verdict, el('span.sub', {}, facts.filter(Boolean).join(' · ')));
  if (gone.last_lines.length) {
    how.append(el('details', {}, el('summary', {}, 'last lines'), el('pre', { tabindex: '0' }, gone.last_lines.join('\n'))));
  }
  const node = row([when, who, how]);
  if (gone.oom_killed || (gone.exit_code ?? 0) !== 0) set(node, { 'data-tone': 'bad' });
  return node;
}
