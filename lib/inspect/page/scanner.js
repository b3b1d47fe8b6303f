// A scan of the keys, which the user starts, sees, and stops: of a large store it takes many pages.

import { el } from './dom.js';
import { count } from './text.js';

/** Keys of one page. */
const PAGE = 1000;

/**
 * Makes a button that reads page after page from `cursor` on, until the end or until it is pressed again, and a line that says how
 * far it is. `read(cursor, limit)` asks for a page, `take(page)` gets each.
 */
export function scanner({ title, cursor, read, take, signal }) {
  const said = el('span', { class: 'hint', role: 'status' });
  const button = el('button', { type: 'button' }, title);
  const run = { on: false };
  let scanned = 0;
  async function search() {
    run.on = true;
    button.textContent = 'Stop';
    try {
      while (run.on && cursor !== null && !signal.aborted) {
        const page = await read(cursor, PAGE);
        ({ cursor } = page);
        scanned += PAGE;
        take(page);
        said.textContent = `About ${count(scanned)} keys searched.`;
      }
    } catch (error) {
      if (!signal.aborted) said.textContent = error.message;
    }
    run.on = false;
    button.textContent = 'Search on';
    if (cursor === null) finish();
  }
  function finish() {
    said.textContent = 'All keys searched.';
    // The focus would be lost with the button.
    if (document.activeElement === button) {
      said.tabIndex = -1;
      said.focus();
    }
    button.remove();
  }
  button.addEventListener('click', () => {
    if (run.on) run.on = false;
    else search();
  });
  if (cursor === null) finish();
  return cursor === null ? [said] : [button, said];
}
