'use strict';

/**
 * Names for lists over the frameworks' real RPC (support/rpc.js): the bytes on the wire, and that pomelo's and pinus's
 * dispatchers reach our remote. What is right is in names.test.js and model.test.js.
 */

const assert = require('node:assert');
const { describe, afterEach } = require('node:test');
const { call } = require('../support/call');
const { startedWith } = require('../support/manager');
const { ours } = require('../support/rows');
const { startFrontends } = require('../support/rpc');
const { create, stopAll } = require('../support/service');

/** A third of a channel of 1000. */
const PEOPLE = Array.from({ length: 333 }, (_, i) => `user-${100000 + i}`);
const MSG = { n: 1, text: 'a chat message of an ordinary length', from: 'chat-1' };

const manager = (list) => ({
  add() {},
  leave() {},
  destroyChannel() {},
  getMembersBySid: (name, sid, cb) => cb(null, list()),
});

describe('Names for lists over real RPC', () => {
  let frontends;
  let list;
  let service;

  afterEach(async () => {
    await stopAll();
    frontends.stop();
  });

  async function start(framework, options) {
    list = PEOPLE;
    frontends = await startFrontends(framework);
    for (const { app } of frontends.frontends) {
      create({ channelManager: manager(() => []) }, app);
      app.event.emit('start_server');
    }
    service = await startedWith(
      manager(() => list),
      options,
      frontends.app,
    );
  }

  async function push() {
    const { args } = await call(service, 'pushMessage', 'connector', 'onChat', MSG, 'n', {});
    assert.deepStrictEqual(args, [null, []]);
  }

  /** What a push takes to all frontends. */
  async function bytesOf() {
    const written = () => {
      const sockets = ['s1', 's2', 's3'].map(frontends.socketTo);
      return sockets.reduce((sum, socket) => sum + socket.bytesWritten, 0);
    };
    const before = written();
    await push();
    return written() - before;
  }

  for (const framework of ['pomelo-rpc', 'pinus-rpc', 'pinus-rpc with TCP mailboxes']) {
    ours(`${framework}: bytes of an unchanged list, and of one with another member`, async () => {
      await start(framework, { rpcNoDelay: false });
      await push();
      const whole = await bytesOf();
      // The question is on its way; then the list.
      await push();
      await push();
      const named = await bytesOf();
      list = [...PEOPLE.slice(1), 'user-200000'];
      const changed = await bytesOf();
      const again = await bytesOf();
      const shown = `${whole} plain, ${named} named, ${changed} changed, ${again} after that`;
      assert.ok(named <= 0.06 * whole, shown);
      assert.ok(changed <= 0.07 * whole, shown);
      assert.ok(again <= 0.06 * whole, shown);
      for (const { pushes } of frontends.frontends) {
        assert.deepStrictEqual(
          pushes.map(([route, msg, uids]) => [route, msg, uids.length]),
          Array.from({ length: 7 }, () => ['onChat', MSG, 333]),
        );
        assert.deepStrictEqual([...pushes[6][2]].sort(), [...list].sort());
      }
    });
  }

  ours('pomelo-rpc: services that are reloaded without ours get what 0.0.7 sends', async () => {
    await start('pomelo-rpc');
    for (let i = 0; i < 5; i += 1) await push();
    for (const { gateway } of frontends.frontends) delete gateway.services.globalChannel;
    for (let i = 0; i < 5; i += 1) await push();
    for (const { pushes } of frontends.frontends) assert.strictEqual(pushes.length, 10);
    assert.strictEqual(service.stats().lists.frontends, 0);
  });
});
