// What happened since the page was opened; and now and then a sentence of it for those who do not see it.

import { $, announce, el, keyed } from './dom.js';
import { fleet, onNote } from './store.js';
import { clock, full, plural } from './words.js';

const SAY_EVERY = 15000;
const heard = new Map();

export function start() {
  onNote((entry) => { if (entry.kind) heard.set(entry.kind, (heard.get(entry.kind) ?? 0) + 1); });
  setInterval(say, SAY_EVERY);
}

export function draw() {
  keyed($('feed'), fleet.feed, (entry) => entry.id, make, () => {});
}

function make(entry) {
  const when = new Date(entry.at);
  return el('li', { 'data-tone': entry.tone }, el('time', { datetime: when.toISOString(), title: full(when) }, clock(when)), el('span', {}, entry.text));
}

// Of many events their number, so that readers are not talked over.
function say() {
  const count = (kind, one, many) => heard.get(kind) && plural(heard.get(kind), one, many);
  const parts = [
    count('job queued', 'job came', 'jobs came'), count('job runs', 'job began', 'jobs began'), count('job over', 'job is over', 'jobs are over'),
    count('failed', 'runner failed to start', 'runners failed to start'), count('health', 'change of the daemon, see events', 'changes of the daemon, see events'),
  ].filter(Boolean);
  heard.clear();
  if (parts.length) announce(`${parts.join(', ')}. ${fleet.now.waiting} waiting, ${fleet.now.busy} busy.`);
}
