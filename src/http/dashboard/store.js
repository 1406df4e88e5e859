// What is known of the fleet, and what happened since the page was opened.

import { jobName, shortOf } from './words.js';

const FEED_KEPT = 300;

export const fleet = {
  seq: 0,
  status: null,
  pools: new Map(),
  runners: new Map(),
  jobs: new Map(),
  ended: [],
  now: null,
  // The daemon's clock less this machine's, in milliseconds.
  ahead: 0,
  feed: [],
  samples: [],
  every: 10,
  kept: 2160,
};

export const nowMs = () => Date.now() + fleet.ahead;
export const ago = (when) => (nowMs() - Date.parse(when)) / 1000;
export const waiting = (job) => job.job?.state === 'queued' && job.why !== 'hosted';

// The job that a runner has, where it is told.
export function jobOf(runner) {
  for (const job of fleet.jobs.values()) {
    if (job.job?.runner === runner) return job.job;
  }
  return null;
}

export function open(snapshot) {
  const { pools, runners, ...status } = snapshot.status;
  const known = fleet.status;
  Object.assign(fleet, {
    seq: snapshot.seq,
    status,
    pools: new Map(pools.map((pool) => [pool.name, pool])),
    runners: new Map(runners.map((runner) => [runner.name, runner])),
    jobs: new Map(snapshot.jobs.map((job) => [job.key, job])),
    ended: snapshot.ended,
  });
  sampled(snapshot.now);
  if (!known) note(null, `${status.instance}: ${runners.length} runners, ${snapshot.jobs.length} jobs`);
  else note(null, known.started === status.started ? 'connected again' : 'connected again: the daemon was started anew');
  return true;
}

// False where a change before it is missing.
export function change(news) {
  if (news.seq !== fleet.seq + 1) return false;
  fleet.seq = news.seq;
  tellPools(news);
  tellJobs(news);
  tellRunners(news);
  tellStatus(fleet.status, news.status);
  fleet.status = news.status;
  renew(fleet.pools, news.pools, news.pools_gone, (pool) => pool.name);
  renew(fleet.runners, news.runners, news.runners_gone, (runner) => runner.name);
  renew(fleet.jobs, news.jobs, news.jobs_gone, (job) => job.key);
  fleet.ended = [...news.ended, ...fleet.ended].slice(0, news.ended_kept);
  sampled(news.now);
  return true;
}

function renew(known, fresh, gone, key) {
  for (const name of gone) known.delete(name);
  for (const item of fresh) known.set(key(item), item);
}

function sampled(now) {
  fleet.now = now;
  fleet.ahead = Date.parse(now.at) - Date.now();
  const last = fleet.samples.at(-1);
  if (fleet.status.ready && (!last || Date.parse(now.at) - last.t >= fleet.every * 1000)) remember([now]);
}

// Samples of the past, in whatever order they come.
export function remember(samples) {
  const all = new Map(fleet.samples.map((sample) => [sample.t, sample]));
  for (const sample of samples) all.set(Date.parse(sample.at), { ...sample, t: Date.parse(sample.at) });
  fleet.samples = [...all.values()].sort((a, b) => a.t - b.t).slice(-fleet.kept);
}

// ---- What happened ----

const listeners = [];
export const onNote = (listener) => listeners.push(listener);

function note(kind, text, tone = null) {
  const entry = { at: nowMs(), text, tone, kind, id: (fleet.feed[0]?.id ?? 0) + 1 };
  fleet.feed.unshift(entry);
  fleet.feed.length = Math.min(fleet.feed.length, FEED_KEPT);
  for (const listener of listeners) listener(entry);
}

function tellRunners(news) {
  for (const runner of news.runners) {
    const old = fleet.runners.get(runner.name);
    const name = shortOf(runner.name);
    if (old?.phase === runner.phase) {
      if (!old.drained && runner.drained) note('drained', `${name} is drained: it goes when it is surely idle`);
      continue;
    }
    const job = jobIn(news, runner.name);
    const bad = runner.phase === 'failed' || runner.phase === 'lost' || runner.phase === 'stray';
    note(runner.phase, `${name} is ${runner.phase}${job ? `: ${jobName(job)} of ${job.repo}` : ''}`, bad ? 'bad' : null);
  }
  for (const gone of [...news.ended].reverse()) {
    const bad = gone.oom_killed || (gone.exit_code ?? 0) !== 0;
    note('ended', `${shortOf(gone.runner)} ended: ${gone.verdict}`, bad ? 'bad' : null);
  }
  const told = new Set(news.ended.map((gone) => gone.runner));
  for (const name of news.runners_gone) {
    if (!told.has(name)) note('gone', `${shortOf(name)} is gone`);
  }
}

function jobIn(news, runner) {
  return news.jobs.find((job) => job.job?.runner === runner)?.job ?? jobOf(runner);
}

function tellJobs(news) {
  for (const { key, job, pool, text } of news.jobs) {
    const old = fleet.jobs.get(key)?.job;
    if (!job || old?.state === job.state) continue;
    const name = `${jobName(job)} of ${job.repo}`;
    if (job.state === 'running') note('job runs', `${name} runs${job.runner ? ` on ${shortOf(job.runner)}` : ''}`);
    else if (job.state === 'queued') note('job queued', `${name} waits${pool ? ` for pool ${pool}` : `: ${text}`}`);
    else note('job held', `${name} is held by GitHub`);
  }
  for (const key of news.jobs_gone) {
    const old = fleet.jobs.get(key)?.job;
    if (old) note('job over', `${jobName(old)} of ${old.repo} is over`);
  }
}

function tellPools(news) {
  for (const pool of news.pools) {
    const old = fleet.pools.get(pool.name);
    if (!old) { note('pool', `pool ${pool.name} is new`); continue; }
    if (old.drained !== pool.drained) note('pool', `pool ${pool.name} is ${pool.drained ? 'drained' : 'served again'}`);
    if (old.target !== pool.target) note('target', `pool ${pool.name} wants ${pool.target} runners instead of ${old.target}: ${pool.why}`);
  }
  for (const name of news.pools_gone) note('pool', `pool ${name} is gone`);
}

function tellStatus(old, now) {
  if (old.ready !== now.ready) note('health', now.ready ? 'the first complete look was had' : 'the daemon looks for the first time');
  if (old.mode !== now.mode) note('health', `the mode is ${now.mode} now`);
  if (old.config.error !== now.config.error) {
    note('health', now.config.error ? 'the configuration file is refused; the last good one is in force' : 'the configuration file is good again', now.config.error ? 'bad' : null);
  } else if (old.config.loaded !== now.config.loaded) note('health', 'the configuration was read again');
  if (Boolean(old.engine_error) !== Boolean(now.engine_error)) {
    note('health', now.engine_error ? `the engine does not answer: ${now.engine_error}` : 'the engine answers again', now.engine_error ? 'bad' : null);
  }
}
