'use strict';

/**
 * The command line as a whole: help, exit codes, names that begin like an option, the bar on a terminal, and its end by a
 * signal. What the commands print is in commands.test.js.
 */

const assert = require('assert');
const { spawn } = require('child_process');
const { once } = require('events');
const fs = require('fs');
const net = require('net');
const os = require('os');
const path = require('path');
const readline = require('readline');
const { after, before, describe, it } = require('node:test');
const cli = require('../support/cli');
const redisServer = require('../support/redis');
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

  it('ends at a second signal, of whatever kind, if the first one did not end it', async (t) => {
    const exit = JSON.stringify(require.resolve('../../lib/cli/exit'));
    const child = spawn(process.execPath, [
      '-e',
      `const { endAtSignals, nextSignal } = require(${exit}); endAtSignals();
       nextSignal().then(() => console.log('again'));
       console.log('waits'); setInterval(() => {}, 1000);`,
    ]);
    t.after(() => child.kill('SIGKILL'));
    const exited = once(child, 'exit', { signal: AbortSignal.timeout(60000) });
    const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    assert.strictEqual((await lines.next()).value, 'waits');
    child.kill('SIGINT');
    assert.strictEqual((await lines.next()).value, 'again');
    child.kill('SIGTERM');
    assert.deepStrictEqual(await exited, [SIGNALS.SIGTERM, null]);
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
