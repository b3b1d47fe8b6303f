'use strict';

/**
 * Many pushes leave nothing behind in a frontend: heap and memory outside of it are as large as before, also when clients
 * come and go and some do not read for a while. FANOUT_PUSHES=n makes n pushes instead of 100,000.
 */

const assert = require('node:assert');
const { after, describe, it } = require('node:test');
const { Client } = require('./client');
const { Frontends } = require('./frontends');

const PUSHES = Number(process.env.FANOUT_PUSHES) || 100000;
const TIMEOUT = 120000 + PUSHES;
const KINDS = ['plain', 'tcp', 'deflate', 'plain'];
const ALL = KINDS.map((_, i) => `u${i}`);
const ROUNDS = 5;
const MiB = 1 << 20;

/** Counts what comes, and keeps nothing. */
class Counter extends Client {
  count = 0;

  receive(chunk) {
    super.receive(chunk);
    this.chunks = [];
  }

  take(item) {
    super.take(item);
    if (item.content) this.count += 1;
    this.last = item.content ? item.content.n : this.last;
    if (this.items.length > 100) this.items = this.items.slice(-1);
    this.look();
  }
}

for (const framework of ['pomelo', 'pinus']) {
  describe(`${PUSHES} pushes of ${framework}`, () => {
    const frontends = new Frontends();

    after(() => frontends.close());

    it('leave the heap as it was', { timeout: TIMEOUT }, async () => {
      const nodeArgs = ['--expose-gc'];
      const setup = { framework, deflate: true, fanOut: true, nodeArgs };
      const frontend = await frontends.start(setup);
      const client = (uid, kind) => new Counter({ uid, kind, port: frontend.port });
      const clients = KINDS.map((kind, i) => client(ALL[i], kind));
      for (const each of clients) await frontend.join(each);

      let n = 0;
      async function round(count) {
        const visitor = await frontend.join(client(`visitor ${n}`, 'plain'));
        visitor.pause();
        const op = { do: 'schedule', to: [...ALL, visitor.uid], size: 120 };
        await frontend.call('many', { op, first: n + 1, count, each: 50 });
        n += count;
        // Larger than what the sockets hold: a part is sent natively, and the rest is Node's.
        await frontend.turn({ ...op, n: (n += 1), size: MiB }, { ...op, n: (n += 1), size: 10 });
        await frontend.turn({ ...op, n: (n += 1) });
        await Promise.all(
          clients.map((each) => each.seen(() => each.last === n, `push ${n}`, TIMEOUT)),
        );
        visitor.leave();
        await frontend.call('leave', visitor.uid);
        return frontend.call('heap');
      }

      const before = await round(PUSHES / ROUNDS);
      let now;
      for (let i = 1; i < ROUNDS; i += 1) now = await round(PUSHES / ROUNDS);
      for (const part of ['heapUsed', 'external', 'arrayBuffers']) {
        const grown = now[part] - before[part];
        assert.ok(
          grown < MiB,
          `${part} has grown by ${grown} bytes: ${JSON.stringify({ before, now })}`,
        );
      }
      const { native } = await frontend.call('stats');
      assert.ok(native > 3 * PUSHES, `${native} were sent natively`);
      for (const { count } of clients) assert.strictEqual(count, n - ROUNDS);
    });
  });
}
