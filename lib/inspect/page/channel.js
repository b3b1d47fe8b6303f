// One channel: its members, page by page and frontend by frontend, and, where the inspector was started with --events, who
// joins and leaves.

import { watch } from './api.js';
import { el, table } from './dom.js';
import { scanner } from './scanner.js';
import { count, nameOf, plain, plural } from './text.js';
import { link, linkTo, pager } from './views.js';

const PAGE = 100;

/** Events that stay on the page. */
const KEPT = 200;

const WHAT = {
  join: 'joined',
  leave: 'left',
  destroy: 'removed',
  occupied: 'has its first member',
  vacated: 'has lost its last member',
  gap: 'changes before this may have been missed',
};

export const channel = {
  title: ({ name = '' }) => `Channel ${name}`,
  heading: ({ name = '' }) => ['Channel ', nameOf(name, { whole: true })],
  async draw(query, scene) {
    const { name = '', sid = null, cursor = null } = query;
    const [told, about] = await Promise.all([
      scene.ask('members', { name, sid, cursor, limit: PAGE }),
      scene.ask('about'),
    ]);
    return [
      el(
        'div',
        { class: 'pair' },
        el(
          'section',
          { class: 'panel', 'aria-label': 'Frontends' },
          frontendsOf(told, sid),
          unfound(told, scene),
        ),
        live(name, about, scene),
      ),
      el(
        'section',
        { class: 'panel', 'aria-label': 'Members' },
        membersOf(told, sid),
        pager('channel', query, told.cursor),
      ),
    ];
  },
};

function frontendsOf({ name, count: total, frontends }, sid) {
  const all = sid === null ? [] : el('a', { href: link('channel', { name }) }, 'Members of all');
  if (frontends.length === 0) return [el('p', {}, 'It has no members.'), all];
  const columns = [
    { title: 'Frontend' },
    { title: 'Members', number: true },
    { title: 'Share', number: true },
  ];
  const rows = frontends.map((one) => [
    linkTo('channel', { name, sid: one.sid }, one.sid),
    count(one.count),
    `${Math.round((100 * one.count) / total)} %`,
  ]);
  const caption = `${plural(total, 'member')} on ${plural(frontends.length, 'frontend')}`;
  return [table(caption, columns, rows), all];
}

/** Members that only 0.0.7 has added may be on frontends that no index has: they are found by a scan. */
function unfound({ isComplete }, { ask, signal, reload }) {
  if (isComplete) return [];
  const scan = scanner({
    title: 'Search the keys for more frontends',
    cursor: 'on',
    read: async (_cursor, limit) => {
      const { isComplete: isDone } = await ask('find', { limit });
      return { cursor: isDone ? null : 'on' };
    },
    take: ({ cursor }) => cursor === null && reload(),
    signal,
  });
  return el('div', { class: 'buttons' }, scan);
}

function membersOf({ members }, sid) {
  if (members.length === 0) return el('p', {}, 'No members on this page.');
  const where = sid === null ? '' : ` on ${plain(sid)}`;
  const columns = [{ title: 'Member' }, { title: 'Frontend' }];
  const rows = members.map((one) => [linkTo('user', { uid: one.uid }, one.uid), nameOf(one.sid)]);
  return table(`${plural(members.length, 'member')}${where} on this page`, columns, rows);
}

function live(name, about, { signal }) {
  const events = el('ol');
  const log = { class: 'events', role: 'log', 'aria-label': 'Joins and leaves', tabindex: '0' };
  const switched = el('button', { type: 'button', 'aria-pressed': 'false' }, 'Watch');
  const panel = el('section', { class: 'panel', 'aria-label': 'Live' }, el('h3', {}, 'Live'));
  if (!about.live) {
    const hint =
      'To see who joins and leaves, start the inspector with --events, where the servers have option events.';
    panel.append(el('p', { class: 'hint' }, hint));
    return panel;
  }
  let stop = null;
  const end = (text) => {
    stop?.();
    stop = null;
    switched.textContent = 'Watch';
    switched.setAttribute('aria-pressed', 'false');
    if (text) show(events, { event: 'gap', reason: text });
  };
  switched.addEventListener('click', () => {
    if (stop) return end();
    stop = watch(
      name,
      (event) => show(events, event),
      () => end('the server has ended the events'),
    );
    switched.textContent = 'Stop';
    switched.setAttribute('aria-pressed', 'true');
  });
  signal.addEventListener('abort', () => end());
  panel.append(
    el('p', { class: 'hint' }, 'Changes that servers with option events make, from now on.'),
    el('div', { class: 'buttons' }, switched),
    el('div', log, events),
  );
  return panel;
}

/** Adds an event at the top, and drops the oldest. */
function show(events, { event, sid, uids = [], count: total, reason }) {
  const who = uids.flatMap((uid, i) => [i > 0 ? ', ' : '', nameOf(uid)]);
  if (total > uids.length && uids.length > 0) who.push(` and ${count(total - uids.length)} more`);
  if (event === 'destroy') who.push(plural(total, 'member'));
  const item = el(
    'li',
    { class: event },
    el('time', {}, new Date().toLocaleTimeString('en-GB')),
    ' ',
    who,
    ` ${WHAT[event] ?? event}`,
    sid === undefined ? [] : [' on ', nameOf(sid)],
    reason ? el('span', { class: 'hint' }, ` (${plain(reason)})`) : [],
  );
  events.prepend(item);
  while (events.children.length > KEPT) events.lastChild.remove();
}
