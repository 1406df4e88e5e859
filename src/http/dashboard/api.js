// The daemon's API: asking, doing, and listening to what changes.

const PREFIX = 'api/v1';
const TOKEN = 'ghrunner-token';
// A comment comes every 15 seconds; without one for so long the line is dead, whatever the system believes.
const SILENCE = 40000;

export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

export const token = {
  get: () => { try { return sessionStorage.getItem(TOKEN); } catch { return null; } },
  set: (value) => { try { sessionStorage.setItem(TOKEN, value); } catch { /* asked again at the next page */ } },
  drop: () => { try { sessionStorage.removeItem(TOKEN); } catch { /* there is none */ } },
};

async function request(path, options = {}) {
  const headers = { ...options.headers };
  const known = token.get();
  if (known) headers.Authorization = `Bearer ${known}`;
  const answer = await fetch(`${PREFIX}/${path}`, { ...options, headers, cache: 'no-store', redirect: 'error' });
  if (!answer.ok) throw new Refused(answer.status, await reason(answer));
  return answer;
}

async function reason(answer) {
  try {
    const problem = await answer.json();
    return problem.detail ?? problem.title ?? `${answer.status} ${answer.statusText}`;
  } catch {
    return `${answer.status} ${answer.statusText}`;
  }
}

export const get = async (path) => (await request(path)).json();

// The parameters of a question, of those that are given.
export function query(parts) {
  const given = Object.entries(parts).filter(([, value]) => value !== '' && value != null);
  return given.map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join('&');
}

// Does something, and gives the daemon's sentence about it.
export async function act(path, body = null, method = 'POST') {
  const options = { method };
  if (body) Object.assign(options, { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } });
  const answer = await (await request(path, options)).json();
  return answer.done ?? 'done';
}

// A runner's output as it comes, until `signal`.
export async function follow(runner, signal, line) {
  const answer = await request(`runners/${encodeURIComponent(runner)}/logs?tail=500&follow=true`, { signal });
  await lines(answer.body, line);
}

async function lines(body, line, alive = () => {}) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    alive();
    const parts = (rest + value).split('\n');
    rest = parts.pop();
    for (const part of parts) line(part);
  }
  if (rest) line(rest);
}

// Listens until told to stop. `on.event(name, data)` gets what is heard; `on.state(state, since, wait)` how the line is:
// `live`, or `lost` with the moment since which, and the seconds until the next attempt. `on.event` gives false where
// something is missing: then all is asked for again. `on.refused` is for a token that is not taken, and ends it.
export async function listen(on) {
  let last = null;
  let attempt = 0;
  let lostAt = null;
  for (;;) {
    try {
      await once(last, on, (id) => { last = id; attempt = 0; lostAt = null; });
      throw new Error('the daemon ended the connection');
    } catch (error) {
      if (error.status === 401 || error.status === 403) return on.refused(error);
      if (error.gap) last = null;
      lostAt ??= Date.now();
      attempt += 1;
      const most = Math.min(30, 2 ** (attempt - 1));
      await pause(error.gap ? 0.1 : most * (0.75 + Math.random() / 4), (left) => on.state('lost', lostAt, left, error));
    }
  }
}

async function once(last, on, heard) {
  const stop = new AbortController();
  let watch = null;
  const alive = () => {
    clearTimeout(watch);
    watch = setTimeout(() => stop.abort(new Error('nothing was heard for too long')), SILENCE);
  };
  alive();
  try {
    const headers = { Accept: 'text/event-stream' };
    if (last) headers['Last-Event-ID'] = last;
    const answer = await request('events', { headers, signal: stop.signal });
    if (last) { heard(last); on.state('live'); }
    let event = { name: 'message', data: '', id: null };
    await lines(answer.body, (line) => {
      if (line === '') {
        if (event.data) {
          if (!on.event(event.name, JSON.parse(event.data))) throw Object.assign(new Error('an event is missing'), { gap: true });
          heard(event.id);
          on.state('live');
        }
        event = { name: 'message', data: '', id: null };
      } else if (line.startsWith('data: ')) event.data += line.slice(6);
      else if (line.startsWith('event: ')) event.name = line.slice(7);
      else if (line.startsWith('id: ')) event.id = line.slice(4);
    }, alive);
  } finally {
    clearTimeout(watch);
    stop.abort();
  }
}

// Waits, and says each second how long still. A network that comes back ends it.
function pause(seconds, tick) {
  return new Promise((go) => {
    const end = Date.now() + seconds * 1000;
    const timer = setInterval(step, 500);
    function step() {
      const left = (end - Date.now()) / 1000;
      if (left > 0) return tick(Math.ceil(left));
      done();
    }
    function done() {
      clearInterval(timer);
      removeEventListener('online', done);
      go();
    }
    addEventListener('online', done);
    step();
  });
}
