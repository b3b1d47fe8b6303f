'use strict';
/**
 * `npm run demo`, after set-up: what it prints, that its check can fail, and that it leaves neither a process nor a file behind,
 * however it ends. Runs the real demo in a process of its own.
 */

const assert = require('node:assert');
const { beforeEach, afterEach, describe } = require('node:test');
const redisServer = require('../support/redis');
const { ours, until } = require('./support');
const { DemoRun } = require('./demo-run');

const GOOD = 'Every client got each message due exactly once, and no other.';
// master, 3 connectors, 2 chat servers, the watchdog
const PROCESSES = 7;
/** Does not come to its end before it is ended, nor kill a connector. */
const STAY = { DEMO_FAULT: 'stay' };
/** A PATH without a redis-server, or anything else. */
const NOWHERE = '/no-such-folder';
/** Of Redis: set-up, reads and barriers. All else changes something. */
const NO_CHANGE = [
  'HELLO',
  'AUTH',
  'SELECT',
  'CLIENT',
  'INFO',
  'TOUCH',
  'SMEMBERS',
  'SCARD',
  'SISMEMBER',
  'SCAN',
  'TYPE',
];

/** The keys that a command changes. */
function keysOf(name, args) {
  if (name === 'SADD' || name === 'SREM') return args.slice(0, 1);
  // A script names its keys; at set-up it has none.
  if (name === 'EVAL') return args.slice(2, 2 + Number(args[1]));
  return args;
}

describe('the demo', () => {
  let demo;
  const run = (env, ...args) => demo.start(args, env);

  beforeEach(() => {
    demo = new DemoRun();
  });

  afterEach(() => demo.close());

  ours(
    'needs no Redis, ends by itself with exit code 0 and shows every connector with its CPU time',
    async () => {
      await run({ PATH: NOWHERE }).ended();
      assert.deepStrictEqual(demo.end, { code: 0, signal: null }, demo.output);
      assert.ok(demo.output.includes(GOOD), demo.output);
      for (const connector of ['connector-1', 'connector-2', 'connector-3']) {
        // | connector | clients | members | got it | ms to last | CPU ms |
        const row = new RegExp(`${connector}\\D+20\\D+20\\D+20\\D+[\\d.]+\\D+([\\d.]+)`);
        const [, cpu] = row.exec(demo.output) || assert.fail(demo.output);
        // Of the push alone: sending to 20 clients is no more than milliseconds.
        assert.ok(Number(cpu) > 0 && Number(cpu) < 1000, cpu);
      }
      assert.match(demo.output, /connector-3 is killed, with [67] members of "guild" on it/);
      assert.match(demo.output, /They vanished from the channel [\d.]+ s later/);
      await demo.assertNothingLeft([]);
    },
  );

  const faults = {
    drop: /user-60 got 0 copies of message 1, expected 1/,
    twice: /user-21 got 2 copies of message 2, expected 1/,
    stray: /user-1 got 1 copies of message 2, expected 0/,
  };
  for (const [fault, problem] of Object.entries(faults)) {
    ours(`ends with exit code 1 and names the affected users (${fault})`, async () => {
      await run({ DEMO_FAULT: fault }).ended();
      assert.strictEqual(demo.end.code, 1, demo.output);
      assert.match(demo.output, problem);
      assert.ok(!demo.output.includes(GOOD));
      await demo.assertNothingLeft([]);
    });
  }

  ours('Ctrl-C in the middle leaves no process and no file', async () => {
    await run(STAY).said('message 2');
    const pids = demo.descendants();
    assert.strictEqual(pids.length, PROCESSES, demo.output);
    demo.child.kill('SIGINT');
    await demo.ended();
    assert.strictEqual(demo.end.code, 130, demo.output);
    await demo.assertNothingLeft(pids);
  });

  ours('SIGTERM while the cluster starts leaves no process and no file', async () => {
    run();
    let pids = [];
    const some = () => (pids = demo.descendants()).length >= 4;
    await until(() => some() || demo.end, 'servers to start');
    assert.strictEqual(demo.end, null, demo.output);
    demo.child.kill('SIGTERM');
    await demo.ended();
    assert.strictEqual(demo.end.code, 143, demo.output);
    await demo.assertNothingLeft(pids);
  });

  ours('Ctrl-C ends processes that hang as well', async () => {
    await run(STAY).said('message 1');
    const pids = demo.descendants();
    assert.strictEqual(pids.length, PROCESSES, demo.output);
    for (const pid of pids.slice(1, 4)) process.kill(pid, 'SIGSTOP');
    demo.child.kill('SIGINT');
    await demo.ended();
    assert.strictEqual(demo.end.code, 130, demo.output);
    await demo.assertNothingLeft(pids);
  });

  ours('a demo that is killed leaves no process and no file', async () => {
    await run(STAY).said('message 1');
    const pids = demo.descendants();
    assert.strictEqual(pids.length, PROCESSES, demo.output);
    demo.child.kill('SIGKILL');
    await demo.ended();
    await demo.assertNothingLeft(pids);
  });

  for (const end of ['by itself', 'by Ctrl-C']) {
    ours(`--redis: only its own prefix is used, and nothing is left, ended ${end}`, async () => {
      const redis = await redisServer.start();
      try {
        const others = 'POMELO:CHANNEL:world:connector-1';
        await redis.run(3, 'sadd', others, 'user-1', 'somebody');
        const monitor = await redis.monitor();
        run(end === 'by Ctrl-C' ? STAY : {}, '--redis', `redis://127.0.0.1:${redis.port}/3`);
        await demo.said('message 1');
        if (end === 'by Ctrl-C') demo.child.kill('SIGINT');
        await demo.ended();
        assert.strictEqual(demo.end.code, end === 'by Ctrl-C' ? 130 : 0, demo.output);
        assert.deepStrictEqual(await redis.run(3, 'keys', '*'), [others]);
        const members = await redis.run(3, 'smembers', others);
        assert.deepStrictEqual(members.sort(), ['somebody', 'user-1']);
        const commands = await monitor.commands();
        // UNLINK of a key that no channel has: may it be used?
        const probes = (args) => args.join().endsWith('\0probe');
        const changes = commands.filter(
          ([, name, ...args]) => !NO_CHANGE.includes(name) && !probes(args),
        );
        assert.ok(changes.length >= 60, 'that many joined');
        for (const [db, name, ...args] of changes) {
          assert.strictEqual(db, '3');
          for (const key of keysOf(name, args)) {
            assert.match(key, /^pome-cluster-\w+:(world|guild):connector-\d$/, name);
          }
        }
        await demo.assertNothingLeft([]);
      } finally {
        await redis.stop();
      }
    });
  }

  ours('--redis: a Redis that is not there is reported at once', async () => {
    const port = await redisServer.freePort();
    await run({}, '--redis', `redis://127.0.0.1:${port}/3`).ended();
    assert.strictEqual(demo.end.code, 1, demo.output);
    assert.match(demo.output, new RegExp(`demo failed: cannot reach Redis at 127.0.0.1:${port}`));
    assert.ok(!demo.output.includes('master'), 'no server was started');
    await demo.assertNothingLeft([]);
  });

  const mistakes = {
    '--redis 127.0.0.1:6379': /--redis: expected redis:/,
    '--redis rediss://:s3cret@h': /--redis: expected redis:/,
    '--web --port x': /--port: expected 0 to 65535, not x/,
    '--port 8080': /--port goes with --web/,
    '--wep': /Unknown option '--wep'/,
  };
  for (const [line, problem] of Object.entries(mistakes)) {
    ours(`${line} is refused, with the correct usage`, async () => {
      await run({}, ...line.split(' ')).ended();
      assert.strictEqual(demo.end.code, 2, demo.output);
      assert.match(demo.output, problem);
      assert.match(demo.output, /npm run demo -- \[--redis URL\]/);
      assert.ok(!demo.output.includes('s3cret'), 'no password is shown');
    });
  }
});
