// A user, and what looks wrong. What no index has is found by a scan of the keys (scanner.js).

import { el, extend, table } from './dom.js';
import { scanner } from './scanner.js';
import { count, hasHidden, nameOf, plain, plural } from './text.js';
import { linkTo, userSearch } from './views.js';

/** Problems that are shown; more are counted. */
const KEPT = 200;

export const user = {
  title: ({ uid }) => (uid === undefined ? 'Users' : `User ${uid}`),
  heading: ({ uid }) => (uid === undefined ? ['Users'] : ['User ', nameOf(uid, { whole: true })]),
  async draw({ uid }, { ask, signal }) {
    const form = el('section', { class: 'panel', 'aria-label': 'Search' }, userSearch(uid));
    if (uid === undefined) return [form];
    const first = await ask('whois', { uid });
    const online = el('section', { class: 'panel', 'aria-label': 'Online' });
    const where = first.online.map((sid) => el('li', {}, nameOf(sid)));
    online.append(
      el('h3', {}, 'Online'),
      where.length > 0
        ? el('ul', { class: 'spread' }, where)
        : el('p', {}, 'On no frontend that holds a lease.'),
    );
    const found = new Set();
    const list = el('div', {}, el('p', {}, 'None found so far.'));
    let shown = null;
    const take = (page) => {
      const before = found.size;
      const added = page.channels.filter(({ name, sid }) => {
        const id = JSON.stringify([name, sid]);
        return !found.has(id) && found.add(id);
      });
      if (found.size === before) return;
      // Only what is new is drawn: a user may be in many channels, and a scan takes many pages.
      const rows = channelsOf(added, found.size);
      if (shown === null) list.replaceChildren((shown = rows));
      else extend(shown, rows);
    };
    take(first);
    const scan = scanner({
      title: 'Search the keys for more',
      cursor: first.cursor,
      read: (cursor, limit) => ask('whois', { uid, cursor, limit }),
      take,
      signal,
    });
    return [
      form,
      online,
      el(
        'section',
        { class: 'panel', 'aria-label': 'Channels' },
        el('h3', {}, 'Channels'),
        list,
        el('div', { class: 'buttons' }, scan),
      ),
    ];
  },
};

function channelsOf(added, count) {
  const rows = added.map(({ name, sid }) => [linkTo('channel', { name }, name), nameOf(sid)]);
  return table(plural(count, 'membership'), [{ title: 'Channel' }, { title: 'Frontend' }], rows);
}

export const problems = {
  title: () => 'Problems',
  async draw(_query, { ask, signal }) {
    const list = el('div', { class: 'problems' });
    const byId = new Map();
    const summary = el('p', { role: 'status' });
    const take = (page) => {
      for (const problem of page.problems) add(problem);
      const { size } = byId;
      summary.textContent =
        size === 0 ? 'Nothing looks wrong so far.' : `${plural(size, 'problem')} found.`;
      if (size > KEPT) summary.textContent += ` The first ${KEPT} are shown.`;
    };
    function add(problem) {
      const known = byId.get(problem.id);
      if (known) {
        // A key may come twice, and is one problem.
        if (known.key === null) known.count += problem.count;
        known.shown?.replaceWith((known.shown = problemItem(known)));
        return;
      }
      const added = { ...problem };
      byId.set(problem.id, added);
      if (byId.size > KEPT) return;
      added.shown = problemItem(added);
      list.append(added.shown);
    }
    const first = await ask('problems');
    take(first);
    const scan = scanner({
      title: 'Search the whole store',
      cursor: first.cursor,
      read: (cursor, limit) => ask('problems', { cursor, limit }),
      take,
      signal,
    });
    return [el('div', { class: 'panel' }, summary, el('div', { class: 'buttons' }, scan)), list];
  },
};

/** The kinds of problems (lib/inspect/problems.js) as headings. */
const KINDS = {
  'expired-lease': 'Expired lease',
  'members-without-lease': 'Members without a lease',
  'not-a-set': 'Key that is no set',
  'foreign-key': 'Foreign key',
  'index-without-member': 'Index without a member',
  'not-readable': 'Not readable',
};

function problemItem({ kind, text, sid, key, count: number, command }) {
  const title = KINDS[kind] ?? kind;
  const of = key ?? sid;
  const heading = of === null ? [title] : [`${title}: `, nameOf(of)];
  if (number > 1) heading.push(` (${count(number)})`);
  const words = `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
  return el(
    'article',
    { class: 'panel problem', 'aria-label': plain(of === null ? title : `${title}: ${of}`) },
    el('h3', {}, heading),
    el('p', {}, nameOf(words, { whole: true })),
    command ? commandOf(command) : [],
  );
}

/**
 * A command, shown with escapes, and copied as it is; one that has characters that are not seen is not copied, since a terminal may
 * take them as input.
 */
function commandOf(command) {
  const code = el('code', {}, nameOf(command, { whole: true }));
  if (hasHidden(command)) {
    const hint = 'It has characters that are not visible, and so cannot be copied from here.';
    return el('div', { class: 'command' }, code, el('p', { class: 'hint' }, hint));
  }
  const button = el('button', { type: 'button' }, 'Copy');
  button.addEventListener('click', async () => {
    const done = await navigator.clipboard.writeText(command).then(
      () => true,
      () => false,
    );
    button.textContent = done ? 'Copied' : 'Not allowed';
  });
  return el('div', { class: 'command' }, code, button);
}
