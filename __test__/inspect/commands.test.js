'use strict';

/**
 * The commands that show what is in a store, and remove: what they print as text and as JSON, exit codes, help, the bar on a
 * terminal, and their end by a signal. What the views are is in views.test.js.
 */

const assert = require('assert');
const { once } = require('events');
const fs = require('fs');
const net = require('net');
const os = require('os');
const path = require('path');
const { after, before, describe, it } = require('node:test');
const addressOf = require('../support/address');
const { call } = require('../support/call');
const cli = require('../support/cli');
const { Leases } = require('../support/leases');
const redisServer = require('../support/redis');
const { ours, stores } = require('../support/rows');
const { started, stopAll } = require('../support/service');
const { readStore } = require('../support/stores');
const { pause, until } = require('../support/until');
const { commands } = require('../../lib/cli/commands');
const { columns } = require('../../lib/cli/output');
const { CODES, SIGNALS } = require('../../lib/cli/exit');

/** So many that a scan takes its time. */
const KEYS = 20000;
const CLEAR = '\r\x1b[K';
const TERMINAL = { NODE_OPTIONS: `--require ${path.join(__dirname, '../support/terminal.js')}` };
/** util-linux has the program that makes a pseudo-terminal; that of other systems takes other arguments. */
const HAS_TERMINAL = { skip: process.platform !== 'linux' && 'needs script of util-linux' };
const docs = fs.readFileSync(path.join(__dirname, '../../docs/CLI.md'), 'utf8');

/** An address, and options without which a command is not run. */
const needed = (name, from) => {
  const words = commands[name].argument ? [name, 'x'] : [name];
  const values = { from, to: 'embedded:to', sid: 's' };
  return [...words, ...commands[name].needs.flatMap((option) => [`--${option}`, values[option]])];
};

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

describe('the command line', { timeout: 300000 }, () => {
  let nowhere;
  /** Accepts connections, and never answers. */
  let silent;
  let redis;
  before(async () => {
    nowhere = `redis://:s3cret@127.0.0.1:${await redisServer.freePort()}`;
    silent = net.createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    redis = await redisServer.start();
  });
  after(async () => {
    silent.close();
    await redis.stop();
  });

  it('has help for all commands and for each, and docs/CLI.md has them all', async () => {
    const { code, stdout, stderr } = await cli.run(['--help']);
    assert.deepStrictEqual([code, stderr], [0, '']);
    for (const [name, { summary, needs, takes }] of Object.entries(commands)) {
      assert.ok(stdout.includes(summary), name);
      const help = await cli.run([name, '--help']);
      assert.deepStrictEqual([help.code, help.stderr], [0, '']);
      assert.ok(help.stdout.startsWith(`Usage:\n  pome-globalchannel ${name} `), help.stdout);
      for (const option of [...needs, ...takes]) {
        assert.ok(help.stdout.includes(`--${option}`), `${name} --${option}`);
      }
      assert.ok(docs.includes(`npx pome-globalchannel ${name} `), `docs/CLI.md: ${name}`);
      for (const option of [...needs, ...takes]) assert.ok(docs.includes(`--${option}`), option);
      for (const line of help.stdout.split('\n')) assert.ok(line.length <= 130, line);
    }
  });

  it('has its exit codes in its help, and in a table of docs/CLI.md', async () => {
    const { stdout } = await cli.run(['--help']);
    const [, told] = /Exit codes: ([^]*?\.)\n/.exec(stdout);
    const inHelp = told.match(/\d+/g).map(Number);
    const codes = [...docs.matchAll(/^\| `(\d+)`/gm)].map(([, code]) => Number(code));
    const all = [...Object.values(CODES), ...Object.values(SIGNALS)];
    const expected = all.sort((one, other) => one - other);
    assert.deepStrictEqual([codes, inHelp], [expected, expected]);
  });

  it('ends with 2 for what is no command, and shows nothing of it', async () => {
    const refused = [
      [],
      ['redis://:s3cret@h'],
      ['stats'],
      ['stats', '--from', 'http://:s3cret@h'],
      ['stats', '--from', nowhere, '--to', nowhere],
      ['stats', 's3cret', '--from', nowhere],
      ['members', '--from', nowhere],
      ['channels', '--from', nowhere, '--limit', 'many'],
      ['channels', '--from', nowhere, '--from', nowhere],
      ['remove', '--from', nowhere],
      ['list', '--from', nowhere, '--to', nowhere],
    ];
    for (const args of refused) {
      const { code, stdout, stderr } = await cli.run(args);
      assert.deepStrictEqual([code, stdout], [CODES.USAGE, ''], `${args}: ${stderr}`);
      assert.match(stderr, /^pome-globalchannel: /);
      assert.ok(!stderr.includes('s3cret'), stderr);
    }
  });

  it('ends with 1 if the store is not there, and names it without the password', async () => {
    for (const name of Object.keys(commands)) {
      const { code, stdout, stderr } = await cli.run(needed(name, nowhere));
      assert.deepStrictEqual([code, stdout], [CODES.FAILED, ''], `${name}: ${stderr}`);
      assert.match(stderr, /cannot reach Redis at 127\.0\.0\.1:\d+: /);
      assert.ok(!stderr.includes('s3cret'), stderr);
    }
  });

  it('aligns as many rows as there are', () => {
    const rows = Array.from({ length: 300000 }, (_, i) => [`c${i}`, i]);
    assert.strictEqual(columns(['CHANNEL', 'MEMBERS'], rows).split('\n')[1], 'c0             0');
  });

  it('ends with the same code if the reader of its output closes the pipe', async () => {
    await redis.flush();
    const many = "for i = 1, 3000 do redis.call('set', 'POMELO:CHANNEL:c' .. i .. ':s1', 'x') end";
    await redis.run(0, 'eval', many, 0);
    const from = `redis://127.0.0.1:${redis.port}`;
    for (const json of [[], ['--json']]) {
      const { child, ended } = cli.start(['problems', '--from', from, ...json]);
      child.stdout.destroy();
      assert.strictEqual((await ended).code, CODES.FOUND);
    }
    await redis.flush();
  });

  it('scans at most 1000 keys in a step', async () => {
    await redis.run(0, 'sadd', 'POMELO:CHANNEL:room:s1', 'u');
    const from = `redis://127.0.0.1:${redis.port}`;
    for (const name of Object.keys(commands).filter(
      (each) => !['inspect', 'copy'].includes(each),
    )) {
      const { commands: seen } = await redis.monitor();
      const { stderr } = await cli.run(needed(name, from));
      const scans = (await seen()).filter(([, command]) => command.toUpperCase() === 'SCAN');
      assert.ok(scans.length > 0, `${name}: ${stderr}`);
      for (const scan of scans) assert.ok(Number(scan.at(-1)) <= 1000, `${name}: ${scan}`);
    }
  });

  it('takes a name that begins like an option after --', async () => {
    await redis.run(0, 'sadd', 'POMELO:CHANNEL:--to:s1', 'u');
    const from = `redis://127.0.0.1:${redis.port}`;
    const { code, stdout } = await cli.run(['members', '--from', from, '--', '--to']);
    assert.deepStrictEqual([code, stdout.split('\n')[0]], [0, '--to: 1 member, s1:1']);
  });

  it('ends at a signal with its code, also while it waits for the store', async () => {
    const from = `redis://127.0.0.1:${silent.address().port}`;
    for (const name of Object.keys(commands)) {
      for (const [signal, expected] of Object.entries(SIGNALS)) {
        const connected = once(silent, 'connection');
        const { child, ended } = cli.start(needed(name, from));
        const [socket] = await connected;
        child.kill(signal);
        const { code, stdout, stderr } = await ended;
        assert.deepStrictEqual([code, stdout], [expected, ''], stderr);
        assert.strictEqual(stderr, `pome-globalchannel: interrupted (${signal})\n`);
        socket.destroy();
      }
    }
  });

  const onTerminal = (all) => cli.start(all, { env: TERMINAL });

  /** Fills a db so that a scan takes steps, and lets the server stand still between them. */
  async function slowly(args, act, start = onTerminal, keys = KEYS) {
    await redis.flush();
    const many = `for i = 1, ${keys} do redis.call('sadd', 'POMELO:CHANNEL:c' .. i .. ':s1', 'u') end`;
    await redis.run(0, 'eval', many, 0);
    const from = `redis://127.0.0.1:${redis.port}`;
    const { child, printed, ended } = start([...args, '--from', from]);
    try {
      const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
      const scans = async () =>
        Number(
          (/cmdstat_scan:calls=(\d+)/.exec(await redis.run(0, 'info', 'commandstats')) || [
            0, 0,
          ])[1],
        );
      for (;;) {
        // Until it has gone on: how long that takes is the machine's business.
        const before = await scans();
        await until(async () => hasEnded() || (await scans()) > before, 'a step', 60000);
        if (hasEnded()) break;
        redis.pause();
        await pause(150);
        await act(child, printed);
        redis.resume();
      }
    } finally {
      redis.resume();
    }
    return ended;
  }

  it('shows a bar on a terminal, in one line, and removes it', async () => {
    const { code, stdout, stderr } = await slowly(['whois', 'u'], () => {});
    assert.strictEqual(code, 0);
    assert.match(stdout, /^u: not online, in 20000 channels\n/);
    const pictures = stderr.split(CLEAR).filter(Boolean);
    assert.ok(pictures.length > 0, JSON.stringify(stderr));
    for (const picture of pictures) {
      assert.match(picture, /^\[ *={5} *\] \d+ keys, \d+\/s, \d+ s$/);
      assert.ok(picture.length < 60);
    }
    assert.ok(stderr.endsWith(CLEAR), JSON.stringify(stderr));
  });

  it('leaves a clean terminal when it is interrupted', async () => {
    let isSent = false;
    const interrupt = (child, printed) => {
      if (isSent || !printed.stderr.includes('=')) return;
      isSent = true;
      child.kill('SIGINT');
    };
    // So many keys that it is not at its end when the bar comes; on a busy machine it may be printing already.
    const args = ['whois', 'u'];
    const { code, stderr } = await slowly(args, interrupt, onTerminal, 10 * KEYS);
    assert.strictEqual(code, 130);
    const end = `${CLEAR}pome-globalchannel: interrupted (SIGINT)\n`;
    assert.ok(stderr.endsWith(end), JSON.stringify(stderr));
  });

  it(
    'shows it on a real terminal, and none beside what goes to the terminal',
    HAS_TERMINAL,
    async () => {
      const shownBy = async (args, more) => {
        const start = (all) => cli.startOnTerminal(all, more);
        const { code, stdout } = await slowly(args, () => {}, start);
        assert.strictEqual(code, 0, stdout);
        return stdout;
      };
      /** What is left of an output that begins with a bar. */
      const withoutBar = (output) => {
        const [first, ...pictures] = output.split(CLEAR);
        const rest = pictures.pop();
        assert.strictEqual(first, '');
        assert.ok(pictures.length > 0, 'there is a bar');
        for (const picture of pictures) {
          assert.match(picture, /^\[ *={5} *\] \d+ (keys|lines), \d+\/s, \d+ s$/);
        }
        return rest;
      };
      const whois = await shownBy(['whois', 'u']);
      assert.match(withoutBar(whois), /^u: not online, in 20000 channels\r\nCHANNEL /);
      const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'pome-list-')), 'list');
      const list = await shownBy(['list'], `> ${file}`);
      assert.strictEqual(withoutBar(list), '');
      assert.strictEqual(fs.readFileSync(file, 'utf8').split('\n').length, KEYS + 1);
      fs.rmSync(path.dirname(file), { recursive: true });
      const others = [
        [['list'], '| cat'],
        [['whois', 'u'], '2> /dev/null'],
      ];
      for (const [args, more] of others) {
        assert.ok(!(await shownBy(args, more)).includes('\x1b'), `${args} ${more}`);
      }
    },
  );

  it('shows no bar where stderr is no terminal', async () => {
    const { stdout, stderr } = await cli.run([
      'stats',
      '--from',
      `redis://127.0.0.1:${redis.port}`,
    ]);
    assert.match(stdout, /^channels {3}20000$/m);
    assert.strictEqual(stderr, '');
    await until(async () => (await redis.clients()).length === 0, 'no client is left');
  });
});
