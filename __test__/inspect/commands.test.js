'use strict';

/**
 * The commands that show what is in a store, and remove: what they print as text and as JSON. What the views are is in
 * views.test.js; help, exit codes, signals and the bar in command-line.test.js.
 */

const assert = require('assert');
const addressOf = require('../support/address');
const { call } = require('../support/call');
const cli = require('../support/cli');
const { Leases } = require('../support/leases');
const { ours, stores } = require('../support/rows');
const { started, stopAll } = require('../support/service');
const { readStore } = require('../support/stores');
const { CODES } = require('../../lib/cli/exit');

stores('the commands', (ctx) => {
  const run = (...args) => cli.run([...args, '--from', addressOf(ctx.store)]);
  const printed = async (...args) => {
    const { code, stdout, stderr } = await run(...args);
    assert.deepStrictEqual([code, stderr], [0, ''], stdout);
    return stdout;
  };
  const json = async (...args) => JSON.parse(await printed(...args, '--json'));

  /** Two frontends with leases, one of them dead, and one without. The service goes before the commands come. */
  async function fill() {
    // Leases in an embedded store end with the last process that has it open. This one sweeps none.
    await started(ctx.store);
    const service = await started(ctx.store, { membership: 'session' });
    const leases = new Leases(service);
    await leases.claim('s1', 'session-e1');
    await leases.claim('s2', 'session-e2', 1);
    await leases.add('s1', 'alice', 'bob');
    await leases.add('s2', 'dora');
    await service.promises.add('room', ['alice', 'bob'], 's1');
    await service.promises.add(['room', 'lobby'], 'carl', 's3');
    await service.promises.add('room', 'dora', 's2');
    await leases.untilExpired('s2');
    await call(service, 'stop', true);
  }

  ours('show columns', async () => {
    await fill();
    const [, version] = /^store {6}(.*)$/m.exec(await printed('stats'));
    assert.match(version, /^(redis, (Redis|Valkey) |embedded, LMDB )/);
    assert.match(await printed('stats'), /^channels {3}2\nmembers {4}5\nfrontends {2}3\n/m);
    assert.match(await printed('stats'), /^leases {5}1 held, 1 expired, 1 without\nonline {5}2\n/m);
    assert.deepStrictEqual(
      (await printed('frontends')).replace(/held for \d+ s/, 'held for 60 s').split('\n'),
      [
        'FRONTEND  LEASE          EPOCH       MEMBERS END    ONLINE  CHANNELS  MEMBERS',
        's1        held for 60 s  session-e1  with sessions       2         1        2',
        's2        expired        -           with sessions       1         1        1',
        's3        none           -           -                   0         2        2',
        '',
      ],
    );
    assert.deepStrictEqual((await printed('channels')).split('\n').sort(), [
      '',
      'CHANNEL  MEMBERS  FRONTENDS',
      'lobby          1  s3:1',
      'room           4  s1:2 s2:1 s3:1',
    ]);
    assert.strictEqual(
      await printed('members', 'room', '--sid', 's3'),
      'room: 4 members, s1:2 s2:1 s3:1\nFRONTEND  USER\ns3        carl\n',
    );
    assert.strictEqual(
      await printed('whois', 'carl'),
      'carl: not online, in 2 channels\nCHANNEL  FRONTENDS\nlobby    s3\nroom     s3\n',
    );
    assert.strictEqual(await printed('whois', 'no one'), 'no one: not online, in 0 channels\n');
  });

  ours('print one object with --json, and go on at a cursor', async () => {
    await fill();
    assert.strictEqual((await json('stats')).channels, 2);
    assert.strictEqual((await json('frontends')).frontends.length, 3);
    assert.deepStrictEqual((await json('channels', '--match', 'l*')).channels, [
      { name: 'lobby', count: 1, frontends: [{ sid: 's3', count: 1 }] },
    ]);
    assert.deepStrictEqual(await json('whois', 'alice'), {
      uid: 'alice',
      online: ['s1'],
      channels: [{ name: 'room', sids: ['s1'] }],
    });
    const found = [];
    let cursor = null;
    do {
      const page = await json(
        'members',
        'room',
        '--limit',
        '1',
        ...(cursor ? ['--cursor', cursor] : []),
      );
      found.push(...page.members.map(({ uid, sid }) => `${sid} ${uid}`));
      ({ cursor } = page);
    } while (cursor !== null);
    assert.deepStrictEqual([...new Set(found)].sort(), [
      's1 alice',
      's1 bob',
      's2 dora',
      's3 carl',
    ]);
    const { code, stderr } = await run('members', 'room', '--limit', '1');
    assert.strictEqual(code, 0);
    assert.match(stderr, /^more: --cursor \S+\n$/);
  });

  ours('escape what a terminal would obey or hide', async () => {
    const { promises } = await started(ctx.store);
    const name = '\x1b[31mred\u202e\u2028\0 back\\slash';
    await promises.add(name, ['a\nb', '', '漢字'], 's\t1');
    await promises.add('漢字', 'u', 's');
    await stopAll();
    const shown = '\\x1b[31mred\\u202e\\u2028\\x00 back\\\\slash';
    const lines = (await printed('channels')).split('\n');
    assert.ok(lines.includes(`${shown}        3  s\\x091:3`), `${lines}`);
    // A character of two columns counts as two.
    assert.ok(lines.includes(`漢字${' '.repeat(shown.length - 4)}        1  s:1`), `${lines}`);
    const cells = (await printed('members', '漢字')).split('\n');
    assert.deepStrictEqual(cells.slice(0, 1), ['漢字: 1 member, s:1']);
    const page = await json('channels');
    assert.deepStrictEqual(page.channels.map((each) => each.name).sort(), [name, '漢字'].sort());
    const [, ...rows] = (await printed('whois', 'a\nb')).split('\n');
    assert.deepStrictEqual(rows, [
      'CHANNEL' + ' '.repeat(shown.length - 5) + 'FRONTENDS',
      `${shown}  s\\x091`,
      '',
    ]);
  });

  ours('end with 3 if problems has found some, and remove mends them', async () => {
    await fill();
    const found = await run('problems');
    assert.deepStrictEqual([found.code, found.stderr], [CODES.FOUND, '']);
    assert.match(found.stdout, /^expired-lease {2}s2\n {2}the lease has expired; 1 users/m);
    const remove = 'npx pome-globalchannel remove --from ADDRESS --sid=';
    const told = found.stdout.split('\n').filter((line) => line.startsWith('  $ '));
    assert.deepStrictEqual([...new Set(told)].sort(), [`  $ ${remove}s2`, `  $ ${remove}s3`]);
    const { problems } = JSON.parse((await run('problems', '--json')).stdout);
    assert.deepStrictEqual(
      problems.map(({ kind, sid, count }) => `${kind} ${sid} ${count}`).sort(),
      ['expired-lease s2 1', 'members-without-lease s2 1', 'members-without-lease s3 2'],
    );
    const before = await readStore(addressOf(ctx.store), null);
    assert.strictEqual(
      await printed('remove', '--sid', 's3', '--dry-run'),
      'would remove 2 members in 2 channels on s3\n',
    );
    assert.deepStrictEqual(await readStore(addressOf(ctx.store), null), before);
    assert.strictEqual(
      await printed('remove', '--sid', 's3'),
      'removed 2 members in 2 channels on s3\n',
    );
    assert.deepStrictEqual(await json('remove', '--sid', 's2'), {
      sid: 's2',
      channels: 1,
      members: 1,
      isDry: false,
    });
    assert.strictEqual(await printed('problems'), 'nothing looks wrong\n');
    const left = await readStore(addressOf(ctx.store), null);
    assert.deepStrictEqual(
      Object.keys(left).filter((key) => /s2|s3/.test(key)),
      [],
    );
    assert.deepStrictEqual(left['POMELO:CHANNEL@sids'], ['s1']);
    assert.deepStrictEqual(left['POMELO:CHANNEL@leases'], ['s1']);
    assert.deepStrictEqual(left['POMELO:CHANNEL:room:s1'], ['alice', 'bob']);
  });

  ours(
    'remove nothing of a frontend that holds its lease, nor of one whose id ends alike',
    async () => {
      const { promises } = await started(ctx.store);
      await promises.add('a', 'u', 'x:s1');
      await promises.add('a', 'v', 's1');
      await stopAll();
      assert.strictEqual(
        await printed('remove', '--sid', 's1'),
        'removed 1 member in 1 channel on s1\n',
      );
      assert.deepStrictEqual((await readStore(addressOf(ctx.store)))['POMELO:CHANNEL:a:x:s1'], [
        'u',
      ]);
      assert.strictEqual(
        await printed('remove', '--sid', 'x:s1'),
        'removed 1 member in 1 channel on x:s1\n',
      );
      assert.deepStrictEqual(await readStore(addressOf(ctx.store), null), {});
      await fill();
      const before = await readStore(addressOf(ctx.store), null);
      const { code, stderr } = await run('remove', '--sid', 's1');
      assert.strictEqual(code, CODES.FAILED);
      assert.match(stderr, /the frontend "s1" holds its lease for \d+ ms more: it is not gone/);
      assert.deepStrictEqual(await readStore(addressOf(ctx.store), null), before);
    },
  );
});
