'use strict';

// The commands that show what is in a store: the views of lib/inspect/views.js as columns, or as JSON.

const { openViews } = require('../inspect/views');
const { CODES } = require('./exit');
const { columns, named, plural, shown, write } = require('./output');
const { createProgress } = require('./progress');

/** The number of keys that counts are made of, unless --limit says otherwise. */
const LIMIT = 1000000;

/** The number of keys in a step of a scan to the end: the store answers others in between. */
const STEP = 1000;

/** Makes a command: `look(views, values, onKeys)` resolves to the object, `print(object)` returns its text. */
function view(look, print, codeOf = () => CODES.DONE) {
  return async ({ from, prefix, hashTag, json, ...values }) => {
    const views = openViews(from, { prefix, hashTag });
    const line = createProgress();
    let found;
    try {
      found = await look(views, values, (count) => line.show(plural(count, 'key'), count));
    } finally {
      line.end();
      await views.close();
    }
    const code = codeOf(found);
    // Before the output: a reader that closes the pipe ends the process.
    process.exitCode = code;
    await write(json ? `${JSON.stringify(found)}\n` : print(found));
    if (!json && found.cursor) console.error(`more: --cursor ${found.cursor}`);
    return code;
  };
}

/** Reads all pages, and calls `take` with each. */
async function pages(read, take, onKeys) {
  let cursor = null;
  let looked = 0;
  do {
    const page = await read({ cursor, limit: STEP });
    take(page);
    looked += cursor === null ? 0 : STEP;
    onKeys(looked);
    ({ cursor } = page);
  } while (cursor !== null);
}

const stats = view(
  (views, { limit = LIMIT }, onKeys) => views.overview({ limit, onKeys }),
  ({ store, prefix, channels, members, frontends, leases, online, isComplete }) => {
    const atLeast = isComplete ? '' : ' (at least: there are more keys than --limit)';
    const rows = [
      ['store', [store.kind, store.version, store.name].filter(Boolean).map(shown).join(', ')],
      ['prefix', named(prefix)],
      ['channels', `${channels}${atLeast}`],
      ['members', `${members}${atLeast}`],
      ['frontends', `${frontends}${atLeast}`],
      ['leases', `${leases.held} held, ${leases.expired} expired, ${leases.none} without`],
      ['online', String(online)],
    ];
    return rows.map(([name, value]) => `${name.padEnd(10)} ${value}\n`).join('');
  },
);

const seconds = (ms) => `${Math.round(ms / 1000)} s`;

function leaseOf({ lease, ttl, age }) {
  if (lease === 'held') return `held for ${seconds(ttl)}`;
  return age === null ? lease : `ended ${seconds(age)} ago`;
}

const frontends = view(
  (views, { limit = LIMIT }, onKeys) => views.frontends({ limit, onKeys }),
  ({ frontends: rows, isComplete }) =>
    columns(
      ['FRONTEND', 'LEASE', 'EPOCH', 'MEMBERS END', 'ONLINE', 'CHANNELS', 'MEMBERS'],
      rows.map((row) => [
        named(row.sid),
        leaseOf(row),
        row.epoch === null ? '-' : shown(row.epoch),
        row.ends ? 'with sessions' : '-',
        row.online,
        row.channels,
        row.members,
      ]),
    ) +
    (isComplete
      ? ''
      : 'There are more keys than --limit: channels and members are at least these.\n'),
);

/** How many frontends of a channel are shown in a line. */
const SPREAD = 5;

function spread(all) {
  const first = all.slice(0, SPREAD).map(({ sid, count }) => `${named(sid)}:${count}`);
  const more = all.length - first.length;
  return [...first, ...(more > 0 ? [`and ${more} more`] : [])].join(' ');
}

const channels = view(
  (views, { match, limit, cursor }) => views.channels({ match, limit, cursor }),
  ({ channels: rows }) =>
    columns(
      ['CHANNEL', 'MEMBERS', 'FRONTENDS'],
      rows.map(({ name, count, frontends: on }) => [named(name), count, spread(on)]),
    ),
);

const members = view(
  async (views, { name, sid, limit, cursor }, onKeys) => {
    // Members that 0.0.7 has added may be on frontends that are in no index.
    await views.find({ limit: 1e9, onKeys });
    return views.members({ name, sid, limit, cursor });
  },
  ({ name, count, frontends: on, members: rows }) => {
    const table = columns(
      ['FRONTEND', 'USER'],
      rows.map((row) => [named(row.sid), named(row.uid)]),
    );
    const where = on.map((each) => `${named(each.sid)}:${each.count}`).join(' ');
    return `${named(name)}: ${plural(count, 'member')}${where && `, ${where}`}\n${table}`;
  },
);

const whois = view(
  async (views, { uid }, onKeys) => {
    const found = new Map();
    let online;
    const take = (page) => {
      ({ online } = page);
      for (const { name, sid } of page.channels) {
        found.set(name, (found.get(name) || new Set()).add(sid));
      }
    };
    await pages((page) => views.whois({ uid, ...page }), take, onKeys);
    const byName = [...found].map(([name, sids]) => ({ name, sids: [...sids].sort() }));
    byName.sort((one, other) => (one.name < other.name ? -1 : 1));
    return { uid, online, channels: byName };
  },
  ({ uid, online, channels: rows }) => {
    const where = online.length > 0 ? `online on ${online.map(named).join(' ')}` : 'not online';
    const table = columns(
      ['CHANNEL', 'FRONTENDS'],
      rows.map(({ name, sids }) => [named(name), sids.map(named).join(' ')]),
    );
    return `${named(uid)}: ${where}, in ${plural(rows.length, 'channel')}\n${rows.length > 0 ? table : ''}`;
  },
);

const problems = view(
  async (views, values, onKeys) => {
    const found = new Map();
    const take = (page) => {
      for (const problem of page.problems) {
        const before = found.get(problem.id);
        // A key may come twice, and is one problem.
        const count = before && problem.key === null ? before.count + problem.count : problem.count;
        found.set(problem.id, { ...problem, count });
      }
    };
    await pages((page) => views.problems(page), take, onKeys);
    return { problems: [...found.values()] };
  },
  ({ problems: rows }) => {
    const text = ({ kind, sid, key, count, text: words, command }) => {
      const of = [sid, key]
        .filter((each) => each !== null)
        .map(named)
        .join(' ');
      const lines = [
        `${kind}  ${of}${key === null && count > 1 ? `  (${count})` : ''}`,
        `  ${shown(words)}`,
      ];
      if (command !== null) lines.push(`  $ ${command}`);
      return `${lines.join('\n')}\n`;
    };
    return rows.length === 0 ? 'nothing looks wrong\n' : rows.map(text).join('');
  },
  ({ problems: rows }) => (rows.length > 0 ? CODES.FOUND : CODES.DONE),
);

module.exports = { stats, frontends, channels, members, whois, problems };
