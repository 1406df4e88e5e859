// Dialogs: questions, a runner's output, the token. The element itself keeps the focus within and gives it back.

import { Refused, act, follow, token } from './api.js';
import { $, el, set, toast } from './dom.js';

const LINES = 4000;
let role = null;

// False where another role was known before.
export function setRole(value) {
  const same = role === null || role === value;
  role = value;
  return same;
}
export const mayOperate = () => role === 'operate';

// A dialog with a title, that Escape and its button close. It is gone when it is closed.
export function dialog(title, content, { close = 'Close', wide = false } = {}) {
  const id = `d${Math.random().toString(36).slice(2)}`;
  const node = el(wide ? 'dialog.wide' : 'dialog', { 'aria-labelledby': id });
  const shut = el('button', { type: 'button', onclick: () => node.close() }, close);
  node.foot = el('div.dialog-foot', {}, shut);
  node.append(el('div.dialog-head', {}, el('h2', { id }, title)), ...content, node.foot);
  node.addEventListener('close', () => node.remove());
  $('dialogs').append(node);
  node.showModal();
  return node;
}

// True if the question was answered with yes.
export function confirm({ title, text, yes, danger = false }) {
  return new Promise((answer) => {
    const d = dialog(title, [el('p', {}, text)], { close: 'Cancel' });
    let sure = false;
    d.foot.append(el(danger ? 'button.danger' : 'button.main', { type: 'button', onclick: () => { sure = true; d.close(); } }, yes));
    // What destroys is not what Enter does by itself.
    d.foot.querySelector(danger ? 'button' : 'button.main').focus();
    d.addEventListener('close', () => answer(sure));
  });
}

// Does something, and says what came of it.
export async function perform(path, body = null, method = 'POST') {
  try {
    toast(await act(path, body, method));
    return true;
  } catch (error) {
    toast(error instanceof Refused ? error.message : `The daemon did not answer: ${error.message}`, true);
    return false;
  }
}

const field = (label, attributes) => {
  const input = el('input', attributes);
  return { input, node: el('label.field', {}, label, input) };
};

export function boost(pool) {
  const count = field('Runners more than the file says (0 ends it)', { type: 'number', min: '0', max: '1000', value: '2', required: true });
  const minutes = field('For how many minutes', { type: 'number', min: '1', max: '10080', value: '60', required: true });
  const send = el('button.main', { type: 'submit' }, 'Boost');
  const form = el('form', {}, el('p', {}, `Within the pool’s limit of ${pool.max}. It ends by itself.`), count.node, minutes.node, el('div.dialog-foot', {}, send));
  const d = dialog(`Boost pool ${pool.name}`, [form], { close: 'Cancel' });
  form.lastChild.prepend(d.foot.firstChild);
  d.foot.remove();
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const path = `pools/${encodeURIComponent(pool.name)}`;
    const more = count.input.valueAsNumber;
    const body = { count: more, for: `${minutes.input.valueAsNumber}m` };
    if (await (more ? perform(`${path}/scale-up`, body) : perform(`${path}/scale-down`, {}))) d.close();
  });
  count.input.focus();
}

// Colours and cursor moves that a terminal would obey.
// eslint-disable-next-line no-control-regex
const CODES = /\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07]*\x07)|[\x00-\x08\x0b-\x1f]/g;

export function logs(runner, title) {
  const out = el('pre.log', { tabindex: '0', role: 'log', 'aria-live': 'off', 'aria-label': 'Output' });
  const state = el('p.muted', { role: 'status' }, 'Following.');
  const stay = el('input', { type: 'checkbox', checked: true });
  const d = dialog(title, [el('label.field', {}, stay, 'stay at the end'), out, state], { wide: true });
  const stop = new AbortController();
  d.addEventListener('close', () => stop.abort());
  let waiting = [];
  const show = () => {
    for (const line of waiting.splice(0)) out.append(el('span', {}, `${line}\n`));
    while (out.childElementCount > LINES) out.firstChild.remove();
    if (stay.checked) out.scrollTop = out.scrollHeight;
  };
  const line = (text) => {
    if (!waiting.length) requestAnimationFrame(show);
    waiting.push(text.replace(CODES, ''));
    waiting = waiting.slice(-LINES);
  };
  follow(runner, stop.signal, line).then(
    () => { state.textContent = 'That is all: the runner has ended.'; },
    (error) => { if (!stop.signal.aborted) { set(state, { class: 'problem' }); state.textContent = error.message; } },
  );
}

// Asks for a token until one is given.
export function askToken(problem) {
  return new Promise((given) => {
    const secret = field('Token', { type: 'password', autocomplete: 'off', required: true, name: 'token' });
    const form = el('form', {}, el('p', {}, 'The daemon asks who you are. It is kept until this tab is closed.'),
      problem && el('p.problem', { role: 'alert' }, problem), secret.node, el('div.dialog-foot', {}, el('button.main', { type: 'submit' }, 'Go on')));
    const d = dialog('Token for ghrunner', [form]);
    d.foot.remove();
    let answered = false;
    // Escape closes it all the same where nobody has touched the page yet: then it is asked anew.
    d.addEventListener('cancel', (event) => event.preventDefault());
    d.addEventListener('close', () => (answered ? given() : askToken(problem).then(given)));
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      token.set(secret.input.value.trim());
      answered = true;
      d.close();
    });
  });
}
