// Pools: what they have and should have, why, and what is held back.

import { $, el, keyed, set, text } from './dom.js';
import { boost, confirm, mayOperate, perform } from './dialogs.js';
import { fleet } from './store.js';
import { PHASES, clock, plural } from './words.js';

export function draw() {
  const pools = [...fleet.pools.values()].sort((a, b) => a.name.localeCompare(b.name));
  text($('pools-count'), String(pools.length));
  keyed($('pools'), pools, (pool) => pool.name, make, mend);
}

function make(pool) {
  const node = el('li.pool', { 'data-pool': pool.name });
  const p = {
    name: el('h3', {}, pool.name), badges: el('span'), actions: el('div.actions'), scope: el('p.muted'), labels: el('div.labels'),
    have: el('dd'), target: el('dd'), max: el('dd'), meter: el('div.meter', { role: 'img' }), words: el('p.muted'), why: el('p.why'), held: el('ul.held'),
  };
  const count = (name, value) => el('div', {}, el('dt', {}, name), value);
  const counts = el('dl.counts', {}, count('there', p.have), count('wanted', p.target), count('at most', p.max));
  node.append(el('div.pool-head', {}, p.name, p.badges, p.actions), counts, p.meter, p.words, p.why, p.held, p.scope, p.labels);
  node.p = p;
  if (mayOperate()) {
    p.drain = el('button', { type: 'button', onclick: () => drain(fleet.pools.get(pool.name)) });
    p.boost = el('button', { type: 'button', 'aria-label': `Boost pool ${pool.name}`, onclick: () => boost(fleet.pools.get(pool.name)) }, 'Boost…');
    p.lower = el('button', { type: 'button', 'aria-label': `End the boost of pool ${pool.name}`, onclick: () => perform(`pools/${encodeURIComponent(pool.name)}/scale-down`, {}) }, 'End boost');
    p.actions.append(p.drain, p.boost, p.lower);
  }
  return node;
}

const total = (pool) => Object.values(pool.phases).reduce((sum, n) => sum + n, 0);

function mend(node, pool) {
  const { p } = node;
  const have = total(pool);
  set(node, { 'data-drained': String(pool.drained) });
  const boosted = pool.boost && `${plural(pool.boost.count, 'more', 'more')} until ${clock(pool.boost.until, false)}`;
  keyed(p.badges, [pool.drained && 'drained', boosted, !pool.declared && 'not in the file'].filter(Boolean), (b) => b, (b) => el('span.badge', {}, b), () => {});
  text(p.have, String(have));
  text(p.target, String(pool.target));
  text(p.max, String(pool.max));
  const words = Object.keys(PHASES).filter((phase) => pool.phases[phase]).map((phase) => `${pool.phases[phase]} ${phase}`);
  text(p.words, words.join(' · ') || 'no runner');
  bar(p.meter, pool, have);
  set(p.meter, { 'aria-label': `${plural(have, 'runner')}: ${words.join(', ') || 'none'}; ${pool.target} wanted, at most ${pool.max}` });
  text(p.why, pool.why);
  p.why.hidden = !pool.why;
  keyed(p.held, pool.held, (h) => `${h.what} ${h.why} ${h.until ?? ''} ${h.text}`, heldItem, () => {});
  const facts = [pool.scope.join(', '), pool.group && `group ${pool.group}`, pool.demand, pool.priority && pool.priority !== 'normal' && `${pool.priority} priority`];
  text(p.scope, facts.filter(Boolean).join(' · '));
  keyed(p.labels, pool.labels, (label) => label, (label) => el('span.label', {}, label), () => {});
  if (p.drain) {
    text(p.drain, pool.drained ? 'Resume' : 'Drain');
    set(p.drain, { 'aria-label': `${pool.drained ? 'Resume' : 'Drain'} pool ${pool.name}` });
    p.boost.disabled = pool.drained;
    p.lower.hidden = !pool.boost;
  }
}

function heldItem(held) {
  const until = held.until ? ` (until ${clock(held.until)})` : '';
  return el('li', {}, el('b', {}, held.what), ` ${held.text}${until}`);
}

// Runners by phase as parts of what there may be, and a mark where the target is.
function bar(meter, pool, have) {
  const whole = Math.max(pool.max, have, pool.target, 1);
  const parts = Object.keys(PHASES).filter((phase) => pool.phases[phase]);
  keyed(meter, [...parts, 'target'], (part) => part,
    (part) => (part === 'target' ? el('span.mark') : el('span.fill', { 'data-phase': part })),
    (node, part) => {
      if (part === 'target') node.style.left = `calc(${(100 * pool.target) / whole}% - 2px)`;
      else node.style.width = `${(100 * pool.phases[part]) / whole}%`;
    });
}

async function drain(pool) {
  if (pool.drained) return perform(`pools/${encodeURIComponent(pool.name)}/resume`);
  const busy = pool.phases.busy ?? 0;
  const sure = await confirm({
    title: `Drain pool ${pool.name}?`,
    text: `Idle runners go, none is started, and jobs for it wait until it is resumed.${busy ? ` ${plural(busy, 'busy runner finishes its job', 'busy runners finish their jobs')} first.` : ''}`,
    yes: 'Drain',
  });
  if (sure) perform(`pools/${encodeURIComponent(pool.name)}/drain`);
}
