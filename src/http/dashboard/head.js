// The cards at the top, and what somebody should look at.

import { $, el, keyed, set, text } from './dom.js';
import { ago, fleet } from './store.js';
import { bytes, clock, duration, full, plural } from './words.js';

export function draw() {
  const { status, now } = fleet;
  text($('instance'), status.instance);
  text($('line'), status.status);
  set($('line'), { title: status.status });
  text($('foot'), `ghrunner ${status.version} · running since ${full(status.started)} · pass ${status.passes} took ${status.took_ms} ms`);
  document.title = `${now.waiting} waiting · ${now.busy} busy · ghrunner`;
  keyed($('cards'), cards(status, now), (card) => card.name, make, mend);
  keyed($('notices'), notices(status), (notice) => notice.head + notice.text, makeNotice, () => {});
}

function make(card) {
  const part = (name) => el(`p.${name}`);
  const node = el('li.card');
  node.parts = [part('name'), part('value'), part('note')];
  node.append(...node.parts);
  text(node.parts[0], card.name);
  return node;
}

function mend(node, card) {
  set(node, { 'data-tone': card.tone, title: card.title });
  node.parts[1].classList.toggle('word', card.word === true);
  text(node.parts[1], card.value);
  text(node.parts[2], card.note);
}

function cards(status, now) {
  const runners = now.busy + now.idle + now.coming + now.other;
  return [
    {
      name: 'Jobs waiting', value: String(now.waiting), tone: now.oldest_wait_s > 600 ? 'warn' : now.waiting ? 'busy' : 'good',
      note: now.waiting && now.oldest_wait_s ? `the oldest for ${duration(now.oldest_wait_s)}` : 'none waits long',
    },
    {
      name: 'Runners', value: `${runners} of ${now.target}`, tone: now.busy ? 'busy' : 'good',
      note: `${now.busy} busy, ${now.idle} idle${now.coming ? `, ${now.coming} coming` : ''}; at most ${now.max}`,
    },
    health(status), config(status), engine(status), ...status.credentials.map((c) => credential(c, status.credentials.length)),
  ];
}

function health(status) {
  const good = status.ready && !status.engine_error;
  return {
    name: 'Daemon', word: true, value: good ? 'in order' : status.ready ? 'impaired' : 'looking around', tone: good ? 'good' : 'warn',
    note: `${status.mode} mode, up ${duration(ago(status.started))}`,
  };
}

function config(status) {
  const { error, error_since, needs_restart, warnings, loaded, path } = status.config;
  const base = { name: 'Configuration', word: true, title: path };
  if (error) return { ...base, value: 'refused', tone: 'bad', note: `since ${clock(error_since ?? loaded)}; the last good one is in force` };
  if (needs_restart.length) return { ...base, value: 'restart needed', tone: 'warn', note: needs_restart.join(', ') };
  return { ...base, value: 'in force', tone: warnings.length ? 'warn' : 'good', note: warnings.length ? plural(warnings.length, 'warning') : `read ${duration(ago(loaded))} ago` };
}

function engine(status) {
  const { engine: e, engine_error: error } = status;
  const base = { name: 'Container engine', word: true };
  if (error) return { ...base, value: 'no answer', tone: 'bad', note: e ? `${e.product} ${e.version}` : 'never heard of yet' };
  if (!e) return { ...base, value: 'not heard yet', tone: 'warn', note: '' };
  const facts = [e.cpus && `${e.cpus} CPUs`, e.memory_bytes && bytes(e.memory_bytes), e.disk_free_bytes && `${bytes(e.disk_free_bytes)} of disk free`];
  return { ...base, value: `${e.product} ${e.version}`, tone: 'good', note: facts.filter(Boolean).join(', ') };
}

function credential(c, count) {
  const base = { name: count > 1 || c.name !== 'default' ? `GitHub, ${c.name}` : 'GitHub', word: true, title: c.url };
  if (c.refused) return { ...base, value: 'refused', tone: 'bad', note: c.refused };
  if (c.limited) return { ...base, value: 'limited', tone: 'bad', note: `until ${clock(c.limited.until)}: ${c.limited.reason}` };
  if (!c.quota) return { ...base, value: 'no budget told', tone: 'good', note: plural(c.requests, 'request') };
  const { remaining, limit, reset } = c.quota;
  const left = limit ? remaining / limit : 1;
  return {
    ...base, value: `${Math.round(left * 100)} % left`, tone: left < 0.1 ? 'bad' : left < 0.25 ? 'warn' : 'good',
    note: `${remaining} of ${limit} requests, new at ${clock(reset, false)}`,
  };
}

function notices(status) {
  const list = [];
  const add = (tone, head, of) => list.push({ tone, head, text: of });
  if (status.engine_error) add('bad', 'The engine does not answer.', status.engine_error);
  if (status.config.error) add('bad', 'The configuration file is refused.', status.config.error);
  if (status.history?.trouble) add('warn', 'The history is not written.', `${status.history.trouble}${status.history.lost ? `; ${plural(status.history.lost, 'record')} were lost` : ''}`);
  for (const c of status.credentials) {
    if (c.refused) add('bad', `The credential ${c.name} is refused.`, c.refused);
    if (c.limited) add('warn', `GitHub limits ${c.name}.`, `${c.limited.reason}; nothing is sent until ${clock(c.limited.until)}`);
  }
  for (const held of status.held) add('warn', `Held back: ${held.what}.`, held.text);
  for (const warning of status.config.warnings) add('warn', 'Configuration:', warning);
  for (const advice of status.advice) add('warn', 'Soon:', advice);
  return list;
}

function makeNotice(notice) {
  return el('li.notice', { 'data-tone': notice.tone }, el('b', {}, notice.head), notice.text);
}
