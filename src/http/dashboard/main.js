// Begins: who looks, what was, what is; then follows what changes.

import { get, listen, token } from './api.js';
import { askToken, setRole } from './dialogs.js';
import { $, set, text } from './dom.js';
import * as ended from './ended.js';
import * as feed from './feed.js';
import * as head from './head.js';
import * as past from './past.js';
import * as plots from './plots.js';
import * as pools from './pools.js';
import * as queue from './queue.js';
import * as runners from './runners.js';
import { change, fleet, open, remember } from './store.js';
import { clock, duration } from './words.js';

let due = false;

function draw() {
  if (due) return;
  due = true;
  // Not within a frame alone: a page in the background has none, and its title should still tell.
  setTimeout(() => {
    due = false;
    if (!fleet.status) return;
    for (const part of [head, pools, queue, runners, ended, feed, plots, past]) part.draw();
  }, document.hidden ? 1000 : 30);
}

function connection(state, since, left, error) {
  set($('connection'), { 'data-state': state });
  text($('connection-text'), state === 'live' ? 'live' : 'lost');
  const lost = $('lost');
  lost.hidden = state === 'live';
  if (state === 'live') return;
  const again = left > 1 ? `trying again in ${left} s` : 'trying again';
  const words = fleet.status ? `Connection lost since ${clock(since)} (${duration((Date.now() - since) / 1000)}); what is shown is from before.` : 'The daemon cannot be reached.';
  set(lost, { title: error?.message });
  text(lost, `${words} ${again}.`);
}

// Who looks; asks for a token where one is needed.
async function identify() {
  for (;;) {
    try {
      const me = await get('whoami');
      // What a role may do is made with the page's parts: for another one they are made anew.
      if (!setRole(me.role)) location.reload();
      text($('who'), `${me.who}${me.role === 'operate' ? '' : ', may look'}`);
      return;
    } catch (error) {
      if (error.status === 401) {
        const had = token.get();
        token.drop();
        await askToken(had ? `That token was not taken: ${error.message}` : null);
      } else {
        connection('lost', Date.now(), 3, error);
        $('lost').textContent = error.status ? `The daemon refuses: ${error.message}` : 'The daemon cannot be reached; trying again.';
        await new Promise((go) => { setTimeout(go, 3000); });
      }
    }
  }
}

async function samples() {
  try {
    const last = fleet.samples.at(-1);
    const trend = await get(last ? `trend?since=${encodeURIComponent(last.at)}` : 'trend');
    fleet.every = trend.every_s;
    fleet.kept = trend.kept;
    remember(trend.samples);
    draw();
  } catch { /* the plots begin now instead */ }
}

async function main() {
  for (const part of [queue, runners, ended, feed, plots]) part.start();
  let begun = false;
  for (;;) {
    await identify();
    if (!begun) past.start();
    begun = true;
    await samples();
    await new Promise((refused) => {
      listen({
        event(name, data) {
          const good = name === 'snapshot' ? open(data) : name === 'change' ? change(data) : true;
          draw();
          return good;
        },
        state(state, since, left, error) {
          if (state === 'live' && $('connection').dataset.state === 'lost') samples();
          connection(state, since, left, error);
        },
        refused,
      });
    });
  }
}

// Ages go on between events.
setInterval(draw, 5000);
document.addEventListener('visibilitychange', draw);
main();
