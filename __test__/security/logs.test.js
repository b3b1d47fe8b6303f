'use strict';

/** A log entry is one line: names, ids and errors cannot inject lines. */

const assert = require('node:assert');
const fc = require('fast-check');
const { listen } = require('../faults/wire');
const { createApp } = require('../support/app');
const { call, ok } = require('../support/call');
const { logged } = require('../support/log');
const { stores, ours } = require('../support/rows');
const { create, refusal, started } = require('../support/service');

const FORGED = 'x\r\n[globalchannel-plugin] forged\u2028\u202e\x1b[2J\x9b';
/** What ends a line, moves the cursor or turns the text around. */
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u;

function areLines(lines) {
  assert.ok(lines.length > 0, 'nothing was logged');
  for (const line of lines) {
    assert.ok(!CONTROL.test(line), JSON.stringify(line));
    assert.match(line, /^\[globalchannel-plugin\]/);
  }
}

stores('Logs', (ctx) => {
  ours('cannot be forged by the name of an option', async () => {
    areLines(await logged(async () => create({ [FORGED]: 1 })));
  });

  ours('cannot be forged by the id of a server or by the error of an RPC', async () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constant(FORGED));
    await fc.assert(
      fc.asyncProperty(text, text, async (id, words) => {
        const sid = `s${id}`.slice(0, 20);
        const app = createApp({
          servers: [{ id: sid, serverType: 'connector', frontend: 'true' }],
        });
        const errors = [words || 'x', new Error(words), { words }];
        const lines = await logged(async () => {
          const service = await started(ctx.store, {}, app);
          await ok(service, 'add', 'n', 'u', sid);
          for (const error of errors) {
            app.rpc = (to, msg, cb) => cb(error);
            await call(service, 'pushMessage', 'connector', 'r', {}, 'n', {});
          }
          await call(service, 'stop', true);
        });
        assert.strictEqual(lines.length, errors.length, JSON.stringify(lines));
        areLines(lines);
      }),
      { numRuns: 30 },
    );
  });

  ours('cannot be forged by a manager, nor by what a store is called or says', async () => {
    const lines = await logged(async () => {
      const manager = {
        add(name, uid, sid, cb) {
          cb(null);
          throw new Error(FORGED);
        },
      };
      const service = create({ channelManager: manager });
      await call(service, 'start');
      await call(service, 'add', 'n', 'u', 's1');
      const sentinels = ['127.0.0.1:1'];
      const lost = create({ sentinels, name: FORGED, startTimeout: 200 });
      await call(lost, 'start');
      const server = await listen((socket) => socket.end(`-ERR ${FORGED}\r\n`));
      await call(create({ port: server.port, startTimeout: 200 }), 'start');
      await server.close();
    });
    areLines(lines);
    assert.match(refusal({ host: FORGED }).message, /^option host is no host name/);
  });
});
