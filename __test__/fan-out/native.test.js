'use strict';

/**
 * The native call under the fan-out: one frame to the sockets of many descriptors. Whatever the descriptors are, no other
 * waits, no bytes go astray, and each slot says what became of it. Who gets a message is in the other files here.
 */

const assert = require('node:assert');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, afterEach, before, describe, it } = require('node:test');
const { Worker } = require('node:worker_threads');
const { sendToAll } = require('../../lib/native');
const { removeFolder } = require('../support/remove');
const { until } = require('../support/until');
const { Pairs } = require('./pairs');

const TIMEOUT = 60000;
const { EBADF, ENOTSOCK } = os.constants.errno;
const FRAME = Buffer.from('one frame');

const fdOf = (socket) => socket['_handle'].fd;

describe(
  'the native call',
  { timeout: TIMEOUT, skip: process.platform === 'win32' && 'there is none on Windows' },
  () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'fan-out-'));
    const pairs = new Pairs();

    before(() => pairs.listen());
    afterEach(() => pairs.end());
    after(() => {
      pairs.close();
      removeFolder(folder);
    });

    /** What the slots hold after the call, and how many it says are incomplete. */
    function send(bytes, fds, count = fds.length) {
      const slots = Int32Array.from(fds);
      return { incomplete: sendToAll(bytes, slots, count), taken: [...slots] };
    }

    const gets = ({ client }, text) =>
      until(() => client.text === text, `${JSON.stringify(text)}, not ${client.text}`);

    it('sends the frame to every socket, and says so', async () => {
      const all = await pairs.open(50);
      const { incomplete, taken } = send(
        FRAME,
        all.map(({ server }) => fdOf(server)),
      );
      assert.deepStrictEqual([incomplete, taken], [0, Array(50).fill(FRAME.length)]);
      await Promise.all(all.map((pair) => gets(pair, 'one frame')));
    });

    it('sends to the first `count` slots only, and leaves the others alone', async () => {
      const [one, two] = await pairs.open(2);
      const fds = [fdOf(one.server), fdOf(two.server)];
      assert.deepStrictEqual(send(FRAME, fds, 1), { incomplete: 0, taken: [9, fds[1]] });
      assert.deepStrictEqual(send(FRAME, fds, 0), { incomplete: 0, taken: fds });
      // More than there are.
      assert.deepStrictEqual(send(FRAME, fds, 99), { incomplete: 0, taken: [9, 9] });
      await gets(one, 'one frameone frame');
      await gets(two, 'one frame');
    });

    it('does no harm with descriptors that are closed, invalid or no sockets; the others get it', async () => {
      const [live, gone] = await pairs.open(2);
      const closed = fdOf(gone.server);
      gone.server.destroy();
      await until(() => gone.client.ended, 'the end of a connection');
      const file = path.join(folder, 'file');
      const opened = fs.openSync(file, 'w+');
      try {
        // The system gives the lowest number that is free: the file may have that of the closed socket.
        const fds = [-1, -2147483648, 2147483647, opened, fdOf(live.server), closed];
        const { incomplete, taken } = send(FRAME, fds);
        assert.strictEqual(incomplete, 5);
        assert.deepStrictEqual(taken.slice(0, 5), [
          -EBADF,
          -EBADF,
          -EBADF,
          -ENOTSOCK,
          FRAME.length,
        ]);
        assert.ok([-EBADF, -ENOTSOCK].includes(taken[5]), `${taken[5]}`);
        assert.strictEqual(fs.fstatSync(opened).size, 0);
      } finally {
        fs.closeSync(opened);
      }
      await gets(live, 'one frame');
    });

    it('never waits for a reader that stops: a part is taken, then nothing, and Node goes on with the rest', async () => {
      const [pair, other] = await pairs.open(2);
      pair.client.pause();
      const large = Buffer.alloc(32 << 20, 'x');
      const first = send(large, [fdOf(pair.server), fdOf(other.server)]).taken[0];
      assert.ok(first > 0 && first < large.length, `${first}`);
      // The system still moves some of it to the other side, which makes room for more.
      await until(() => send(large, [fdOf(pair.server)]).taken[0] === 0, 'no room');
      const extra = pair.server['_handle'].fd;
      assert.deepStrictEqual(send(FRAME, [extra]), { incomplete: 1, taken: [0] });
      pair.server.write('the rest');
      pair.client.resume();
      await until(() => pair.client.text.endsWith('xthe rest'), 'the rest');
      assert.doesNotMatch(pair.client.text, /frame/);
    });

    it('a socket that took a part is not asked again in the same call', async () => {
      const [pair] = await pairs.open(1);
      pair.client.pause();
      const large = Buffer.alloc(32 << 20, 'x');
      const { incomplete, taken } = send(large, Array(10).fill(fdOf(pair.server)));
      assert.strictEqual(incomplete, 10);
      assert.ok(taken[0] > 0);
      assert.deepStrictEqual(taken.slice(1), Array(9).fill(0));
    });

    it('a peer that is gone is an error, not a signal', async () => {
      const all = await pairs.open(5);
      for (const { client } of all) client.resetAndDestroy?.();
      for (const { client } of all) client.destroy();
      const slots = () =>
        send(
          FRAME,
          all.map(({ server }) => server['_handle']?.fd ?? -1),
        ).taken;
      await until(() => slots().every((taken) => taken < 0), 'all of them to fail');
    });

    it('refuses what is no frame or no slots', () => {
      for (const args of [[], [FRAME], [FRAME, [1], 1], ['frame', new Int32Array(1), 1]]) {
        assert.throws(() => sendToAll(...args));
      }
      assert.throws(() => sendToAll(FRAME, new Uint8Array(4), 1));
    });

    it('in worker threads at the same time, while connections come and go', async () => {
      const job = path.join(__dirname, 'native-worker.js');
      const runs = Array.from({ length: 4 }, (_, i) => {
        const worker = new Worker(job, { workerData: { seed: i } });
        return new Promise((resolve, reject) => {
          worker.once('message', resolve);
          worker.once('error', reject);
        });
      });
      for (const { sent, foreign } of await Promise.all(runs)) {
        assert.ok(sent > 1000, `${sent} frames`);
        assert.deepStrictEqual(foreign, []);
      }
    });
  },
);

it(
  'a process without the native call has no such function',
  { skip: process.platform !== 'win32' },
  () => assert.strictEqual(sendToAll, undefined),
);
