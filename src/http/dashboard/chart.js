// What all plots share: drawing in SVG, axes, keys, and one moment that is read with pointer or arrow keys.

import { el, set, text } from './dom.js';

const SVG = 'http://www.w3.org/2000/svg';
export const HEIGHT = 168;
export const LEFT = 46;
export const RIGHT = 10;
export const TOP = 8;
export const BOTTOM = 22;

export const svg = (name, attributes = {}, ...children) => {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
};

// The sign of a key: a square of that colour, or the line's stroke.
export function keyOf(name) {
  const key = el(name ? 'span.key' : 'span.key.line-key', { 'aria-hidden': 'true' });
  if (name) key.style.background = `var(--${name})`;
  return key;
}

// A figure with title, reading, picture and keys. `on.point(part)` gets where in the width is pointed at, or none;
// `on.step(event)` the keys.
export function figure(title, keys, on) {
  const reading = el('span', {});
  const picture = svg('svg', { tabindex: '0', role: 'slider', 'aria-label': `${title} over time`, 'aria-valuemin': '0', 'aria-valuemax': '0', 'aria-valuenow': '0', 'aria-valuetext': 'not known yet', 'aria-orientation': 'horizontal' });
  const node = el('figure.plot', {}, el('figcaption', {}, el('b', {}, title), reading), picture, el('ul.keys', {}, keys));
  const part = (event) => {
    const box = picture.getBoundingClientRect();
    return Math.min(Math.max((event.clientX - box.left - LEFT) / (box.width - LEFT - RIGHT), 0), 1);
  };
  for (const kind of ['pointermove', 'pointerdown']) picture.addEventListener(kind, (event) => on.point(part(event)));
  for (const kind of ['pointerleave', 'blur']) picture.addEventListener(kind, () => on.point(null));
  picture.addEventListener('keydown', on.step);
  return { node, picture, reading };
}

// Where an arrow key leads from `at` among so many, or nothing.
export function stepped(event, at, count) {
  const far = Math.max(1, Math.round(count / 20));
  const to = { ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1, PageDown: at - far, PageUp: at + far, Home: 0, End: count - 1 }[event.key];
  if (to === undefined) return null;
  event.preventDefault();
  return Math.min(Math.max(to, 0), count - 1);
}

// Says in words what is read, and marks it with a line at `x`, if there is one.
export function tell({ picture, reading }, words, at, count, x) {
  text(reading, words);
  set(picture, { 'aria-valuemax': Math.max(count - 1, 0), 'aria-valuenow': Math.max(at, 0), 'aria-valuetext': words });
  const line = picture.querySelector('.cursor');
  if (line) for (const [key, value] of [['x1', x ?? 0], ['x2', x ?? 0], ['visibility', x == null ? 'hidden' : 'visible']]) line.setAttribute(key, value);
}

export const cursorLine = () => svg('line', { class: 'cursor', y1: TOP, y2: HEIGHT - BOTTOM, visibility: 'hidden' });

// Steps of 1, 2 or 5 times a power of ten, in whole numbers, four or five of them.
export function nice(most) {
  const rough = Math.max(most, 1) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const width = Math.max(1, [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough) ?? 1);
  const count = Math.max(1, Math.ceil(Math.max(most, 1) / width));
  return Array.from({ length: count + 1 }, (_, n) => n * width);
}

// Lines and numbers of the upright axis, and what they count.
export function* upright(width, y, ticks, unit) {
  for (const tick of ticks) {
    yield svg('line', { class: 'gridline', x1: LEFT, x2: width - RIGHT, y1: y(tick), y2: y(tick) });
    yield svg('text', { x: LEFT - 6, y: y(tick) + 4, 'text-anchor': 'end' }, String(tick));
  }
  yield svg('text', { x: 10, y: (HEIGHT - BOTTOM) / 2 + 4, 'text-anchor': 'middle', transform: `rotate(-90 10 ${(HEIGHT - BOTTOM) / 2})` }, unit);
}

// A moment on the axis of time, if its words have room.
export function* moment(width, x, words) {
  if (x > LEFT + 12 && x < width - RIGHT - 12) yield svg('text', { x, y: HEIGHT - 6, 'text-anchor': 'middle' }, words);
  yield svg('line', { class: 'gridline', x1: x, x2: x, y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM + 4 });
}
