// Jobs, and why each waits.

import { $, cell, el, keyed, row, set, table, text } from './dom.js';
import { ago, fleet, waiting } from './store.js';
import { clock, duration, full, jobName, shortOf } from './words.js';

const SHOWN = 200;
let body = null;
let rest = null;

export function start() {
  const made = table('Jobs', ['For', 'Job', 'Pool', 'Why']);
  body = made.body;
  rest = el('p.none');
  $('queue').append(made.node, rest);
  set($('queue'), { tabindex: '0', role: 'group', 'aria-label': 'List of jobs' });
  $('queue-state').addEventListener('change', draw);
  $('queue-find').addEventListener('input', draw);
}

function matches(entry, state, find) {
  if (state === 'waiting' && entry.job?.state === 'running') return false;
  if (state === 'running' && entry.job?.state !== 'running') return false;
  if (!find) return true;
  const { job } = entry;
  const all = [job?.repo, job && jobName(job), job?.branch, ...(job?.labels ?? []), entry.pool, entry.why, entry.text, job?.runner];
  return all.some((part) => part?.toLowerCase().includes(find));
}

export function draw() {
  if (!fleet.status) return;
  const state = $('queue-state').value;
  const find = $('queue-find').value.trim().toLowerCase();
  const all = [...fleet.jobs.values()];
  const found = all.filter((entry) => matches(entry, state, find));
  found.sort((a, b) => (a.job?.queued ?? '').localeCompare(b.job?.queued ?? '') || a.key.localeCompare(b.key));
  const running = all.filter((entry) => entry.job?.state === 'running').length;
  text($('queue-count'), `${all.filter(waiting).length} waiting, ${running} running`);
  keyed(body, found.slice(0, SHOWN), (entry) => entry.key, make, mend);
  const more = found.length - SHOWN;
  rest.hidden = found.length > 0 && more <= 0;
  text(rest, more > 0 ? `${more} more: narrow the list down by words.` : find ? 'Nothing fits.' : state === 'running' ? 'No job runs.' : 'No job waits.');
}

function make() {
  const c = [cell('td.nowrap'), cell('td'), cell('td', 'pool'), cell('td')];
  const node = row(c);
  const part = () => el('span.sub');
  node.p = { age: c[0], name: el('b'), where: part(), labels: part(), pool: c[2], why: el('span'), until: part() };
  c[1].append(node.p.name, node.p.where, node.p.labels);
  c[3].append(node.p.why, node.p.until);
  return node;
}

function mend(node, entry) {
  const { p } = node;
  const { job } = entry;
  set(node, { 'data-job': entry.key, 'data-state': job?.state });
  text(p.age, job ? duration(ago(job.queued)) : '');
  set(p.age, { title: job ? `queued ${full(job.queued)}` : null });
  text(p.name, job ? jobName(job) : 'labels alone');
  text(p.where, [job?.repo, job?.branch, job?.event].filter(Boolean).join(' · '));
  text(p.labels, (job?.labels ?? []).join(', '));
  text(p.pool, entry.pool ?? 'none');
  text(p.why, job?.runner ? `runs on ${shortOf(job.runner)}` : entry.text);
  text(p.until, entry.until ? `until ${clock(entry.until)}` : '');
}
