// Keeps the status page up to date: asks for it again every second and takes over what has changed, so that focus,
// scroll positions and open details stay. Rests while nobody looks.

const PAUSE = 1000;
/** Milliseconds for an answer. */
const LIMIT = 5000;
/** The share of the time that updates may take, where the page is long. */
const SHARE = 0.1;

const numbers = document.querySelector('#numbers');
const live = document.querySelector('#live');
let timer = 0;
let failedSince = '';

async function update() {
  const began = performance.now();
  try {
    const response = await fetch(location.pathname, {
      cache: 'no-store',
      signal: AbortSignal.timeout(LIMIT),
    });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const next = new DOMParser().parseFromString(await response.text(), 'text/html');
    // Another version serves: its page may want another script and style.
    if (next.documentElement.dataset.build !== document.documentElement.dataset.build)
      return location.reload();
    const focused = document.activeElement;
    adopt(numbers, next.querySelector('#numbers'));
    // Who was moved has lost it.
    if (focused !== document.activeElement && focused?.isConnected) focused.focus({ preventScroll: true });
    if (document.title !== next.title) document.title = next.title;
    say('Updates every second.');
    failedSince = '';
  } catch {
    failedSince ||= new Date().toISOString().slice(11, 19);
    say(`No answer since ${failedSince} UTC: the numbers above are old.`);
  }
  document.documentElement.classList.toggle('stale', failedSince !== '');
  plan(Math.max(PAUSE, (performance.now() - began) / SHARE));
}

/** Makes `old` equal to `next`. Elements that say who they are (data-key) are found again wherever they stand. */
function adopt(old, next) {
  adoptAttributes(old, next);
  const keys = new Set(Array.from(next.children, keyOf));
  const known = new Map();
  for (const child of Array.from(old.children)) {
    const key = keyOf(child);
    if (key === undefined) continue;
    if (keys.has(key)) known.set(key, child);
    else child.remove();
  }
  let place = old.firstChild;
  for (const child of Array.from(next.childNodes)) {
    const key = keyOf(child);
    const same = key === undefined ? (isAlike(place, child) ? place : null) : known.get(key);
    if (!same) {
      old.insertBefore(document.importNode(child, true), place);
      continue;
    }
    if (same === place) place = place.nextSibling;
    else old.insertBefore(same, place);
    if (child.nodeType === Node.ELEMENT_NODE) adopt(same, child);
    else if (same.data !== child.data) same.data = child.data;
  }
  while (place) {
    const gone = place;
    place = place.nextSibling;
    gone.remove();
  }
}

const keyOf = (node) => node.dataset?.key;
const isAlike = (old, next) =>
  old && old.nodeName === next.nodeName && keyOf(old) === undefined && old.id === next.id;

/** Whether details are open is for the one who reads. */
const isOwn = (element, name) => element.nodeName === 'DETAILS' && name === 'open';

function adoptAttributes(old, next) {
  for (const { name, value } of Array.from(next.attributes)) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of Array.from(old.attributes)) {
    if (!next.hasAttribute(name) && !isOwn(old, name)) old.removeAttribute(name);
  }
}

/** A screen reader says it whenever it changes: never for a mere update. */
function say(text) {
  if (live.textContent !== text) live.textContent = text;
}

function plan(pause) {
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(update, pause);
}

document.addEventListener('visibilitychange', () => plan(0));
plan(PAUSE);
