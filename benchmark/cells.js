'use strict';
/**
 * The cells that are measured, and the goals. How a cell is called is in workload.js, how its store is filled in seed.js.
 */

/**
 * The number of channels of a cell. A prime above 64: 64 calls in flight are for 64 different channels, so that one read
 * cannot answer several of them, and every 10th or 100th call reaches each channel.
 */
const CHANNELS = 67;

const COLD = [
  // `reads` are made one after the other, each of a channel that was not read before.
  { members: 100000, reads: 3 },
  { members: 300000, reads: 2 },
];

/**
 * Of the long lists there are few, and no 64 at once: 0.0.7 fetches each of them, and would only measure memory. For the
 * same reason the warm-up is short.
 */
const COUNTS = [
  [10, [1, 64, 512]],
  [1000, [1, 64, 512]],
  [100000, [1], { channels: 3, warmUpCalls: 6 }],
];

const BULK = { frontends: 3, members: 0, writes: true };

/** With a few calls in flight, as in a game server that handles several requests at a time. */
const FEW = [1, 8, 64, 512];

const LEAVES = [
  [1, 1024],
  [64, 6144],
  [512, 18432],
];

/**
 * `{id, kind, title, inFlight, frontends, members, …}`; `--filter` matches `id`. With `writers`, that number of processes
 * run the cell at once, each with `inFlight` calls in flight.
 */
const cells = [
  ...depths('add', { kind: 'add', frontends: 1, members: 0, writes: true }, FEW),
  ...depths(
    'add-4',
    { kind: 'add', frontends: 1, members: 0, writes: true, writers: 4 },
    [64, 512],
  ),
  // Enough members that each call removes one during a second at today's speeds.
  ...LEAVES.flatMap(([inFlight, members]) =>
    depths('leave', { kind: 'leave', frontends: 1, members, writes: true }, [inFlight]),
  ),
  ...reads(10, FEW),
  ...[100, 1000].flatMap((members) => reads(members, [1, 64, 512])),
  // 512 answers of 10,000 members in flight would only measure memory.
  ...reads(10000, [1, 64]),
  ...COLD.map((cold) => ({
    ...cold,
    id: `cold-${cold.members}`,
    kind: 'cold',
    title: `first getMembersBySid of ${cold.members.toLocaleString('en')} members`,
    inFlight: 1,
    frontends: 1,
  })),
  ...depths('getMembersByChannelName-3x1000', { kind: 'byName', frontends: 3, members: 1000 }),
  ...depths('pushMessage-3x100', { kind: 'push', frontends: 3, members: 100 }, FEW),
  ...depths('pushMessage-3x1000', { kind: 'push', frontends: 3, members: 1000 }),
  // Two channels of 500 and one user who is left out: as many members as in the cells above.
  ...depths('pushMessage-3x(500+500-1)', union(2, true, 500)),
  ...depths('pushMessage-3x(500+500)', union(2, false, 500)),
  ...depths('pushMessage-3x(1000-1)', union(1, true, 1000)),
  // Another channel whose members are left out: none of them is in the first, which costs the same.
  ...depths('pushMessage-3x(1000-1000)', { ...union(1, false, 1000), excepted: 1 }),
  ...COUNTS.flatMap(([members, inFlights, more]) =>
    depths(`getCount-${members}`, { kind: 'count', frontends: 1, members, ...more }, inFlights),
  ),
  ...depths('isMember-1000', { kind: 'isMember', frontends: 1, members: 1000 }),
  ...depths('addMany-100', { ...BULK, kind: 'many', size: 100 }),
  ...depths('add-10-names', { ...BULK, kind: 'names', size: 10 }),
  ...[1, 10, 100].flatMap((every) =>
    depths(`churn-1:${every}`, {
      kind: 'churn',
      frontends: 3,
      members: 1000,
      every,
      writes: true,
    }),
  ),
  ...[1, 10].flatMap((every) =>
    depths(`churn-by-another-1:${every}`, {
      kind: 'churn',
      frontends: 3,
      members: 1000,
      every,
      byOther: true,
      writes: true,
    }),
  ),
];

function reads(members, inFlights) {
  return depths(`getMembersBySid-${members}`, { kind: 'bySid', frontends: 1, members }, inFlights);
}

function union(united, leftOut, members) {
  return { kind: 'union', frontends: 3, united, leftOut, members };
}

function depths(name, cell, inFlights = [1, 64, 512]) {
  return inFlights.map((inFlight) => ({
    ...cell,
    id: `${name}/${inFlight}`,
    title: `${titleOf(name, cell)}, ${inFlight} in flight${cell.writers ? ' each' : ''}`,
    inFlight,
  }));
}

function titleOf(name, cell) {
  const { kind, frontends, members, every, byOther, writers } = cell;
  const { united, leftOut, excepted, size } = cell;
  const [method] = name.split('-');
  if (writers) return `${method} by ${writers} processes`;
  if (every) {
    return `churn 1:${every}${byOther ? ' by another process' : ''}, push ${frontends}×${members}`;
  }
  if (kind === 'union') {
    const channels = united > 1 ? `(${Array(united).fill(members).join('+')})` : members;
    const without = excepted ? ', without those of another channel' : '';
    return `${method} ${frontends}×${channels}${leftOut ? ', one left out' : without}`;
  }
  if (kind === 'many') return `addMany and leaveMany of ${size}, in turn`;
  if (kind === 'names') return `add and leave with ${size} names, in turn`;
  if (frontends > 1) return `${method} ${frontends}×${members}`;
  return method === name ? method : `${method} ${members}`;
}

/** The rows of the chart, in order. */
const CHARTED = [
  'add/64',
  'add/512',
  'add-4/512',
  'leave/512',
  'getMembersBySid-10/64',
  'getMembersBySid-100/64',
  'getMembersBySid-1000/1',
  'getMembersBySid-1000/64',
  'getMembersBySid-10000/64',
  'cold-100000',
  'cold-300000',
  'getMembersByChannelName-3x1000/64',
  'pushMessage-3x100/1',
  'pushMessage-3x100/64',
  'pushMessage-3x1000/1',
  'pushMessage-3x1000/64',
  'pushMessage-3x(500+500-1)/64',
  'getCount-1000/64',
  'isMember-1000/64',
  'addMany-100/64',
  'add-10-names/64',
  'churn-1:1/64',
  'churn-by-another-1:1/64',
  'churn-1:10/64',
  'churn-1:100/64',
];

/**
 * The goals. `measure` is `speed` (ops/s relative to 0.0.7), `level` (ops/s relative to those of our own cell `than`, of
 * contestant `rival` if that is another one), `cpu` and `cpuOfAll` (CPU per call of the main thread and of all threads,
 * relative to 0.0.7) or `rss` (bytes per cached member); of several cells the worst
 * counts. `aim` may be null. The least of "any command, 1 in flight" is what calls
 * that wake a second thread can reach.
 */
const TARGETS = [
  speed('add, leave, 512 in flight', ['add/512', 'leave/512'], 4, 6),
  speed('add, leave, 64 in flight', ['add/64', 'leave/64'], 1.8, 2.5),
  speed('any command, 1 in flight', cells.filter(isLone).map(idOf), 0.78, 1),
  speed('getMembersBySid 100, cached, 64 in flight', ['getMembersBySid-100/64'], 4, 8),
  speed('getMembersBySid 1000, cached, 64 in flight', ['getMembersBySid-1000/64'], 20, 50),
  speed('pushMessage 3×100, cached, 64 in flight', ['pushMessage-3x100/64'], 6, 10),
  speed('pushMessage 3×1000, cached, 64 in flight', ['pushMessage-3x1000/64'], 50, 100),
  speed(
    'pushMessage of two channels, one user left out, 64 in flight',
    ['pushMessage-3x(500+500-1)/64'],
    20,
    null,
  ),
  level(
    'pushMessage of two channels, one user left out, relative to a plain push, 64 in flight',
    'pushMessage-3x(500+500-1)/64',
    'pushMessage-3x1000/64',
    0.67,
  ),
  // Not by fetching the list.
  level(
    'getCount of 100,000 members, relative to 10, 1 in flight',
    'getCount-100000/1',
    'getCount-10/1',
    0.9,
  ),
  speed('pushMessage 3×100, cached, 1 in flight', ['pushMessage-3x100/1'], 1.1, 1.4),
  speed('pushMessage 3×1000, cached, 1 in flight', ['pushMessage-3x1000/1'], 4, 6),
  speed(
    'getMembersBySid 1000 and 10000, `cache: false`, 64 in flight',
    ['getMembersBySid-1000/64', 'getMembersBySid-10000/64'],
    1.5,
    2.5,
    'uncached',
  ),
  speed(
    'pushMessage 3×1000, `cache: false`, 64 in flight',
    ['pushMessage-3x1000/64'],
    1.5,
    2.5,
    'uncached',
  ),
  speed('one getMembersBySid of 100,000, `cache: false`', ['cold-100000'], 3, 6, 'uncached'),
  speed('one getMembersBySid of 300,000, `cache: false`', ['cold-300000'], 15, 30, 'uncached'),
  speed('one getMembersBySid of 100,000, first read', ['cold-100000'], 3, 6),
  speed('one getMembersBySid of 300,000, first read', ['cold-300000'], 10, 15),
  speed('churn 1:1, push 3×1000, 64 and 512 in flight', ['churn-1:1/64', 'churn-1:1/512'], 1.3, 3),
  speed(
    'churn 1:1 by another process, push 3×1000, 64 and 512 in flight',
    ['churn-by-another-1:1/64', 'churn-by-another-1:1/512'],
    1.3,
    3,
  ),
  speed('churn 1:10, push 3×1000, 64 in flight', ['churn-1:10/64'], 4, 8),
  speed('churn 1:10, push 3×1000, 512 in flight', ['churn-1:10/512'], 4, 10),
  speed('embedded: add, 512 in flight', ['add/512'], 3, null, 'embedded'),
  speed(
    'embedded: getMembersBySid 1000, unchanged',
    ['getMembersBySid-1000/1', 'getMembersBySid-1000/64', 'getMembersBySid-1000/512'],
    20,
    null,
    'embedded',
  ),
  speed('embedded: any command, 1 in flight', cells.filter(isLone).map(idOf), 2, null, 'embedded'),
  {
    ...level(
      'Redis Cluster: pushMessage 3×1000, cached, relative to one Redis, 64 in flight',
      'pushMessage-3x1000/64',
      'pushMessage-3x1000/64',
      0.3,
    ),
    contestant: 'cluster',
    rival: 'ours',
    aim: 0.7,
  },
  {
    measure: 'cpu',
    title: 'main-thread CPU per add, 512 in flight',
    cells: ['add/512'],
    contestant: 'ours',
    least: 0.2,
    aim: 0.1,
  },
  cpuOfAll('CPU of all threads, any command, 1 in flight', cells.filter(isLone).map(idOf), 1.3, 1),
  cpuOfAll('CPU of all threads per add, 512 in flight', ['add/512'], 1, null),
  cpuOfAll(
    'CPU of all threads per pushMessage 3×1000, cached, 64 in flight',
    ['pushMessage-3x1000/64'],
    1,
    null,
  ),
  { measure: 'rss', title: 'RSS per cached member, bytes', least: 100, aim: 60 },
];

function speed(title, ids, least, aim, contestant = 'ours') {
  return { measure: 'speed', title, cells: ids, contestant, least, aim };
}

function cpuOfAll(title, ids, least, aim) {
  return { measure: 'cpuOfAll', title, cells: ids, contestant: 'ours', least, aim };
}

function level(title, id, than, least) {
  return { measure: 'level', title, cells: [id], than, contestant: 'ours', least, aim: null };
}

function isLone({ kind, inFlight }) {
  return inFlight === 1 && kind !== 'cold' && kind !== 'churn';
}

function idOf({ id }) {
  return id;
}

module.exports = { CHANNELS, CHARTED, TARGETS, cells };
