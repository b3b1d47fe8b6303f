// The overview, the frontends and the search for channels. A view is `{title(query), draw(query, scene)}`; `scene` is
// `{ask, draw, say, reload, signal}` of page.js. Addresses hold what a view shows, so that they can be kept and sent to others.

import { el, search, table } from './dom.js';
import { count, duration, nameOf, plural } from './text.js';

/** Channels of a page. */
const PAGE = 50;

/** Pages without a channel in them that are passed over before the user is asked. */
const EMPTY_PAGES = 20;

/** How much more of the store is counted when the user asks for it. */
const MORE = 10;
const COUNTED = 100000;
const MOST_COUNTED = 2000000;

export const link = (view, query) => `#/${view}?${new URLSearchParams(query)}`;

export const go = (view, query) => {
  location.hash = link(view, query);
};

export const linkTo = (view, query, name) => el('a', { href: link(view, query) }, nameOf(name));

/** Frontends with a count each, as a list; the address of the rest is behind the last one. */
export function spread(frontends, shown = 4, rest = null) {
  const items = frontends
    .slice(0, shown)
    .map(({ sid, count: n }) => el('li', {}, nameOf(sid), ' ', el('b', {}, count(n))));
  if (frontends.length > shown) {
    const more = `${count(frontends.length - shown)} more`;
    items.push(el('li', {}, rest ? el('a', { href: rest }, more) : more));
  }
  return el('ul', { class: 'spread' }, items);
}

const channelSearch = (match = '') =>
  search(
    {
      label: 'Search channels',
      value: match,
      button: 'Search',
      placeholder: 'room-*',
      hint: 'A glob for the whole name: * any text, ? one byte, [a-z] a range. Empty: all channels, page by page.',
    },
    (text) => go('channels', text === '' ? {} : { match: text }),
  );

export const userSearch = (uid = '') =>
  search({ label: 'Find a user', value: uid, button: 'Find', placeholder: 'uid' }, (text) =>
    go('user', { uid: text }),
  );

const total = (title, value, ...parts) =>
  el('div', {}, el('dt', {}, title), el('dd', {}, value, ...parts));

/** What is said, and offered, if counting has stopped at a limit. */
function unfinished(view, isComplete, limit, unit) {
  if (isComplete) return [];
  const next = Math.min(limit * MORE, MOST_COUNTED);
  const hint = el(
    'p',
    { class: 'hint' },
    `Counted in ${count(limit)} keys only; the store has more, so ${unit} may be more.`,
  );
  if (limit >= MOST_COUNTED) return [hint];
  const more = el('a', { href: link(view, { limit: next }) }, `Count in ${count(next)} keys`);
  return [el('div', { class: 'buttons' }, hint, more)];
}

export const overview = {
  title: () => 'Overview',
  async draw({ limit = COUNTED }, { ask, draw }) {
    const counted = el('div', { class: 'view' }, el('p', { class: 'hint' }, 'Counting …'));
    // The searches can be used while the store is counted.
    draw([
      counted,
      el(
        'div',
        { class: 'pair' },
        el('section', { class: 'panel', 'aria-label': 'Channels' }, channelSearch()),
        el('section', { class: 'panel', 'aria-label': 'Users' }, userSearch()),
      ),
      el(
        'p',
        { class: 'hint' },
        'Members are counted on each frontend. Users online are known where frontends hold leases. ',
        el('a', { href: '#/problems' }, 'Look for what is wrong'),
      ),
    ]);
    const told = await ask('overview', { limit });
    const more = unfinished('', told.isComplete, Number(limit), 'channels and members');
    counted.replaceChildren(totals(told), ...more);
  },
};

function totals({ store, channels, members, frontends: all, leases, online, isComplete }) {
  const { held, expired, none } = leases;
  const least = isComplete ? '' : '≥ ';
  const states = `${held} with a lease, ${expired} expired, ${none} without`;
  return el(
    'dl',
    { class: 'totals' },
    total('Store', store.kind, el('span', { class: 'part' }, store.version ?? '')),
    total('Channels', `${least}${count(channels)}`),
    total('Members', `${least}${count(members)}`),
    total('Users online', count(online)),
    total('Frontends', count(all), el('span', { class: 'part' }, states)),
  );
}

/** What each state of a lease is called. */
const LEASES = { held: 'held', expired: 'expired', none: 'no lease' };

const since = ({ lease, ttl, age }) => {
  if (lease === 'held') return `expires in ${duration(ttl)}`;
  return age === null ? '' : `ended ${duration(age)} ago`;
};

export const frontends = {
  title: () => 'Frontends',
  async draw({ limit = COUNTED }, { ask }) {
    const { frontends: found, isComplete } = await ask('frontends', { limit });
    const columns = [
      { title: 'Frontend' },
      { title: 'Lease' },
      { title: 'Epoch' },
      { title: 'Members end with' },
      { title: 'Online', number: true },
      { title: 'Channels', number: true },
      { title: 'Members', number: true },
    ];
    const rows = found.map((one) => [
      nameOf(one.sid),
      [
        el('span', { class: `state ${one.lease}` }, LEASES[one.lease]),
        ' ',
        el('span', { class: 'hint' }, since(one)),
      ],
      one.epoch === null ? '' : el('code', {}, nameOf(one.epoch)),
      one.ends ? 'their sessions' : 'a call',
      count(one.online),
      count(one.channels),
      count(one.members),
    ]);
    const panel =
      found.length === 0
        ? el('p', { class: 'panel' }, 'The store knows no frontend under this prefix.')
        : el(
            'div',
            { class: 'panel' },
            table(`${plural(found.length, 'frontend')}`, columns, rows),
          );
    return [panel, ...unfinished('frontends', isComplete, Number(limit), 'channels and members')];
  },
};

/** Links to the first and the next page. */
export function pager(view, query, cursor) {
  const first = { ...query };
  delete first.cursor;
  const links = [];
  if (query.cursor) links.push(el('a', { href: link(view, first) }, 'First page'));
  if (cursor) links.push(el('a', { href: link(view, { ...query, cursor }) }, 'Next page'));
  return el('nav', { class: 'buttons pager', 'aria-label': 'Pages' }, links);
}

export const channels = {
  title: ({ match }) => (match ? `Channels ${match}` : 'Channels'),
  async draw(query, { ask, say, signal }) {
    const { match = '' } = query;
    let { cursor = null } = query;
    let found = [];
    // A rare name may be many pages away, since a page is a bounded part of the store.
    for (let pages = 0; pages < EMPTY_PAGES && !signal.aborted; pages++) {
      const page = await ask('channels', { match, cursor, limit: PAGE });
      ({ channels: found, cursor } = page);
      if (found.length > 0 || cursor === null) break;
      say('Searching …');
    }
    const columns = [
      { title: 'Channel' },
      { title: 'Members', number: true },
      { title: 'On frontends' },
    ];
    const rows = found.map((one) => [
      linkTo('channel', { name: one.name }, one.name),
      count(one.count),
      spread(one.frontends, 4, link('channel', { name: one.name })),
    ]);
    const none = cursor
      ? 'Nothing in this part of the store. The next page searches on.'
      : 'No channel.';
    return [
      el('section', { class: 'panel', 'aria-label': 'Search' }, channelSearch(match)),
      el(
        'div',
        { class: 'panel' },
        rows.length > 0
          ? table(`${plural(rows.length, 'channel')} on this page`, columns, rows)
          : el('p', {}, none),
        pager('channels', query, cursor),
      ),
    ];
  },
};
