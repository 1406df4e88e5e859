// Numbers, times and phases as people read them.

// In the order in which they stand in bars and lists: word, and the word's meaning.
export const PHASES = {
  busy: 'in a job', idle: 'waits for a job', starting: 'runs and is not yet online', creating: 'is being made',
  draining: 'goes as soon as it is surely idle', exited: 'has ended', failed: 'did not come online in time',
  lost: 'registered, but has no container', stray: 'has a container, but is unknown to GitHub',
};

export const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

// `8 s`, `4 min`, `2 h 05 min`, `3 d 4 h`.
export function duration(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${String(Math.floor(s / 60) % 60).padStart(2, '0')} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
}

// Milliseconds: `80 ms`, `4.2 s`, and then as above; a dash where there are none of which to tell.
export function span(ms, count = 1) {
  if (!count) return '–';
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 10e3 ? `${Math.round(ms / 100) / 10} s` : ms < 600e3 && ms >= 60e3 ? `${Math.floor(ms / 60e3)} min ${String(Math.floor(ms / 1000) % 60).padStart(2, '0')} s` : duration(ms / 1000);
}

const two = (n) => String(n).padStart(2, '0');
export const clock = (when, seconds = true) => {
  const d = new Date(when);
  return `${two(d.getHours())}:${two(d.getMinutes())}${seconds ? `:${two(d.getSeconds())}` : ''}`;
};
export const day = (when) => new Date(when).toLocaleDateString(undefined, { weekday: 'short', day: 'numeric', month: 'short' });
export const full = (when) => new Date(when).toLocaleString();

export function bytes(n) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let at = 0;
  while (n >= 1024 && at < units.length - 1) { n /= 1024; at += 1; }
  return `${n >= 100 || at === 0 ? Math.round(n) : n.toFixed(1)} ${units[at]}`;
}

// `build-3 · a1b2c3` of ghrunner-build-3-k7x2p-a1b2c3.
export const shortName = (runner) => {
  const nonce = runner.name.slice(runner.name.lastIndexOf('-') + 1);
  return `${runner.pool}-${runner.slot} · ${nonce}`;
};
export const shortOf = (name) => {
  const parts = /^ghrunner-(.+)-(\d+)-[^-]+-([^-]+)$/.exec(name);
  return parts ? `${parts[1]}-${parts[2]} · ${parts[3]}` : name;
};

export const jobName = (job) => (job.workflow ? `${job.workflow} / ${job.name}` : job.name);
