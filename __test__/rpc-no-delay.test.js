'use strict';

/**
 * Option `rpcNoDelay` over real RPCs of pomelo and pinus: which sockets are changed, and that pushes arrive complete and in
 * order. Apps of other shapes are in rpc-no-delay-shapes.test.js, real processes in pomelo-cluster/rpc-no-delay.test.js.
 */

const assert = require('node:assert');
const { before, after, afterEach, beforeEach, describe, it } = require('node:test');
const redisServer = require('./support/redis');
const { call, ok, invoke } = require('./support/call');
const { startFrontends } = require('./support/rpc');
const { started, stopAll, IMPL } = require('./support/service');
const { watchSockets } = require('./support/sockets');

const skip = IMPL === 'old' && '0.0.7 leaves the sockets as they are';

// How often a framework tells each socket by itself. Where it does, ours is the second call, which
// changes nothing.
for (const [framework, own] of [
  ['pomelo-rpc', 0],
  ['pinus-rpc', 1],
  ['pinus-rpc with TCP mailboxes', 0],
]) {
  describe(`rpcNoDelay over ${framework}`, { skip }, () => {
    let redis;
    let sockets;
    let rpc;

    before(async () => {
      redis = await redisServer.start();
    });
    beforeEach(async () => {
      await redis.flush();
      sockets = watchSockets();
      rpc = await startFrontends(framework);
    });
    afterEach(async () => {
      await stopAll();
      rpc.stop();
      sockets.stop();
    });
    after(() => redis.stop());

    /** A started service with a member on each frontend. */
    async function service(opts = {}) {
      const made = await started(redis, opts, rpc.app);
      for (const { id } of rpc.frontends) await ok(made, 'add', 'n', `u-${id}`, id);
      return made;
    }
    const push = (from, msg) => [from, 'pushMessage', 'connector', 'onChat', msg, 'n', {}];
    const pushed = () => rpc.frontends.map(({ pushes }) => pushes.map(([, msg]) => msg.n));
    const counts = () => rpc.frontends.map(({ id }) => sockets.noDelays(rpc.socketTo(id)) - own);

    it('the first push switches Nagle off, also where it makes the connection', async () => {
      const from = await service();
      await ok(...push(from, { n: 1 }));
      assert.deepStrictEqual(counts(), [1, 1, 1]);
    });

    it('each socket is changed once, however many pushes and services there are', async () => {
      const services = [await service()];
      // A second one for the same app, which the component would refuse.
      rpc.app.set('globalChannelService', null);
      services.push(await service());
      for (let n = 1; n <= 5; n += 1) {
        for (const from of services) await ok(...push(from, { n }));
      }
      assert.deepStrictEqual(counts(), [1, 1, 1]);
    });

    it('a connection that replaces another is changed as well', async () => {
      const from = await service();
      await ok(...push(from, { n: 1 }));
      const first = rpc.socketTo('s2');
      rpc.disconnect('s2');
      await ok(...push(from, { n: 2 }));
      assert.notStrictEqual(rpc.socketTo('s2'), first);
      assert.deepStrictEqual(counts(), [1, 1, 1]);
    });

    it('rpcNoDelay: false does not change the sockets, on both sides', async () => {
      const from = await service({ rpcNoDelay: false });
      await started(redis, { rpcNoDelay: false }, rpc.frontends[0].app);
      rpc.frontends[0].app.event.emit('start_server', 's1');
      await ok(...push(from, { n: 1 }));
      const corks = sockets.corks(rpc.socketTo('s1'));
      await ok(...push(from, { n: 2 }));
      assert.deepStrictEqual(counts(), [0, 0, 0]);
      // pinus-rpc corks once a packet.
      assert.strictEqual(sockets.corks(rpc.socketTo('s1')) - corks, own);
      assert.strictEqual(sockets.noDelays(rpc.accepted(0)[0]), own);
    });

    it('a packet leaves in one piece, and so does the answer of a frontend', async () => {
      await started(redis, {}, rpc.frontends[0].app);
      rpc.frontends[0].app.event.emit('start_server', 's1');
      const from = await service();
      // Connected, so that no handshake is in the way.
      await ok(...push(from, { n: 0 }));
      const ends = [rpc.socketTo('s1'), ...rpc.accepted(0)];
      const earlier = ends.map(sockets.writes);
      for (let n = 1; n <= 20; n += 1) await ok(...push(from, { n }));
      const pieces = ends.map((socket, i) => sockets.writes(socket) - earlier[i]);
      assert.deepStrictEqual(pieces, [20, 20]);
    });

    it('a frontend changes the sockets that it has and those that it accepts later', async () => {
      const { app } = rpc.frontends[0];
      const from = await service({ rpcNoDelay: false });
      await ok(...push(from, { n: 1 }));
      const [first] = rpc.accepted(0);
      await started(redis, {}, app);
      app.event.emit('start_server', 's1');
      assert.strictEqual(sockets.noDelays(first) - own, 1);
      rpc.disconnect('s1');
      await ok(...push(from, { n: 2 }));
      const second = rpc.accepted(0).find((socket) => socket !== first);
      assert.strictEqual(sockets.noDelays(second) - own, 1);
    });

    it('a server that is not a frontend does not change the sockets that it accepted', async () => {
      const { app } = rpc.frontends[0];
      app.isFrontend = () => false;
      await started(redis, {}, app);
      app.event.emit('start_server', 's1');
      await ok(...push(await service(), { n: 1 }));
      assert.strictEqual(sockets.noDelays(rpc.accepted(0)[0]), own);
    });

    it('pushes made in one go arrive whole and in order, small and large', async () => {
      const from = await service();
      // pinus-rpc 1.7.4 never sends what begins with a large packet before it is connected.
      await ok(...push(from, { n: 0, text: '' }));
      for (const { pushes } of rpc.frontends) pushes.length = 0;
      const numbers = Array.from({ length: 60 }, (_, n) => n);
      const text = (n) => 'x'.repeat(n % 3 === 0 ? 200000 : n);
      const calls = numbers.map((n) => invoke(...push(from, { n, text: text(n) })).done);
      for (const { err, value } of await Promise.all(calls)) {
        assert.strictEqual(err, null);
        assert.deepStrictEqual(value, []);
      }
      assert.deepStrictEqual(pushed(), [numbers, numbers, numbers]);
      for (const { pushes } of rpc.frontends) {
        for (const [, msg] of pushes) assert.strictEqual(msg.text.length, text(msg.n).length);
      }
    });

    it('nothing stays corked after the last push', async () => {
      const from = await service();
      await ok(...push(from, { n: 1 }));
      await call(...push(from, { n: 2 }));
      for (const { id } of rpc.frontends) {
        assert.strictEqual(rpc.socketTo(id).writableCorked, 0);
        assert.strictEqual(rpc.socketTo(id).writableLength, 0);
      }
    });
  });
}
