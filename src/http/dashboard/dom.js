// Making and mending elements. All text goes in as text: names of runners, jobs and repositories are other people's.

export const $ = (id) => document.getElementById(id);

// el('td.num', {title: 'x'}, 'text', node, …): attributes, and `on…` functions as listeners.
export function el(what, attributes = {}, ...children) {
  const [name, ...classes] = what.split('.');
  const node = document.createElement(name);
  if (classes.length) node.className = classes.join(' ');
  set(node, attributes);
  node.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return node;
}

export function set(node, attributes) {
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === 'function') node.addEventListener(key.slice(2), value);
    else if (value == null || value === false) node.removeAttribute(key);
    else if (node.getAttribute(key) !== String(value)) node.setAttribute(key, value === true ? '' : value);
  }
  return node;
}

// Only what differs is touched, so that selections, focus and readers are left in peace.
export function text(node, value) {
  if (node.textContent !== value) node.textContent = value;
  return node;
}

// Keeps one child for each item, by its key: makes those that are new, mends those that stay, in the items' order.
export function keyed(parent, items, key, make, mend) {
  const known = parent.known ??= new Map();
  const wanted = new Map();
  for (const item of items) {
    const name = key(item);
    if (!wanted.has(name)) wanted.set(name, item);
  }
  // What goes first goes first: those that stay then need no move, and keep the focus.
  for (const [name, node] of known) {
    if (!wanted.has(name)) { node.remove(); known.delete(name); }
  }
  let at = parent.firstChild;
  for (const [name, item] of wanted) {
    let node = known.get(name);
    if (!node) known.set(name, node = make(item));
    mend(node, item);
    if (node === at) at = at.nextSibling;
    else parent.insertBefore(node, at);
  }
}

// A table with the given columns. On a narrow screen each row is a block, and stays a row for readers.
export function table(label, columns) {
  const head = el('tr', { role: 'row' }, columns.map((name) => el('th', { scope: 'col', role: 'columnheader' }, name)));
  const body = el('tbody', { role: 'rowgroup' });
  const node = el('table.stack', { role: 'table', 'aria-label': label }, el('thead', { role: 'rowgroup' }, head), body);
  return { node, body };
}
export const row = (cells) => el('tr', { role: 'row' }, cells);
export const cell = (what = 'td', name = null) => el(what, { role: 'cell', 'data-name': name });

let region = null;
// Says something to readers without moving them, at most one sentence at a time.
export function announce(sentence) {
  region ??= $('announce');
  region.textContent = sentence;
}

export function toast(sentence, wrong = false) {
  const note = el(wrong ? 'p.wrong' : 'p', {}, sentence);
  $('toast').append(note);
  setTimeout(() => note.remove(), wrong ? 12000 : 6000);
}
