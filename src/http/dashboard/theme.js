// Dark or light: as the system has it, until the reader chooses.
const KEY = 'ghrunner-theme';
const dark = matchMedia('(prefers-color-scheme: dark)');

function chosen() {
  try { return localStorage.getItem(KEY); } catch { return null; }
}

function show() {
  const theme = chosen() ?? (dark.matches ? 'dark' : 'light');
  document.documentElement.dataset.theme = theme;
  const button = document.getElementById('theme');
  if (button) {
    button.textContent = theme === 'dark' ? 'Light' : 'Dark';
    button.setAttribute('aria-label', `Switch to ${theme === 'dark' ? 'light' : 'dark'} colours`);
  }
}

function toggle() {
  const next = document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark';
  try { localStorage.setItem(KEY, next); } catch { document.documentElement.dataset.theme = next; }
  show();
}

dark.addEventListener('change', show);
document.getElementById('theme').addEventListener('click', toggle);
show();
