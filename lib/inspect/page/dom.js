// Makes elements. Text goes into text nodes only, so nothing that a store holds is ever read as HTML.

/** Makes an element; a property that begins with `on` is a listener, others are attributes (null and false: none). */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.flat());
  return element;
}

/**
 * Makes a table in a box that scrolls sideways; `columns` are `{title, number}`, `rows` arrays of cells. The roles are those that
 * the elements have anyway, and lose where inspect.css shows them as blocks.
 */
export function table(caption, columns, rows) {
  const number = (i) => (columns[i].number ? { class: 'number' } : {});
  const head = columns.map(({ title }, i) =>
    el('th', { scope: 'col', role: 'columnheader', ...number(i) }, title),
  );
  const cellOf = (cell, i) =>
    i === 0
      ? el('th', { scope: 'row', role: 'rowheader' }, cell)
      : el('td', { role: 'cell', 'data-title': columns[i].title, ...number(i) }, cell);
  const body = rows.map((cells) => el('tr', { role: 'row' }, cells.map(cellOf)));
  const content = el(
    'table',
    { role: 'table' },
    el('caption', {}, caption),
    el('thead', { role: 'rowgroup' }, el('tr', { role: 'row' }, head)),
    el('tbody', { role: 'rowgroup' }, body),
  );
  // It takes the focus, so that it can be scrolled with the keyboard.
  return el(
    'div',
    { class: 'scroll', role: 'region', 'aria-label': caption, tabindex: '0' },
    content,
  );
}

/** Appends the rows of one such table to another, which takes its caption. */
export function extend(shown, added) {
  shown.setAttribute('aria-label', added.getAttribute('aria-label'));
  shown.querySelector('caption').replaceWith(added.querySelector('caption'));
  shown.querySelector('tbody').append(...added.querySelectorAll('tbody > tr'));
}

/** Makes a search form with one field; `onAsk(text)` gets what was typed. */
export function search({ label, value = '', hint, button, placeholder = '' }, onAsk) {
  const id = `field-${label.replace(/\W/g, '-').toLowerCase()}`;
  const input = el('input', {
    id,
    value,
    placeholder,
    autocomplete: 'off',
    spellcheck: 'false',
    autocapitalize: 'none',
    'aria-describedby': hint ? `${id}-hint` : null,
  });
  return el(
    'form',
    {
      class: 'search',
      role: 'search',
      'aria-label': label,
      onsubmit: (event) => {
        event.preventDefault();
        onAsk(input.value);
      },
    },
    el('label', { for: id }, label),
    input,
    el('button', { class: 'primary' }, button),
    hint ? el('p', { class: 'hint', id: `${id}-hint` }, hint) : [],
  );
}
