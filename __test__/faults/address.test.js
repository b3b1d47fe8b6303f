'use strict';

/**
 * The address of the server: a name that gets another address, a port that another program has taken. On Linux as root a
 * process gets an /etc/hosts of its own.
 */

const assert = require('node:assert');
const fs = require('fs');
const path = require('path');
const { area, fault } = require('./fault');
const { Flight, recovers, words } = require('./flight');
const { withHosts, lacksMounts } = require('./hosts');
const { silent } = require('./silent');
const { proxy } = require('./wire');
const child = require('../support/child');
const { started } = require('../support/service');
const { freePort } = require('../support/redis');
const { report } = require('../support/report');
const { until } = require('../support/until');

const NAME = 'redis.pome.test';

area('a host name', {}, (ctx) => {
  const service = async ({ started: start, opts, args, ok, emit, call }) => {
    const channel = await start({ host: args.name, port: opts.port, commandTimeout: 0 });
    await ok(channel, 'add', 'n', 'before', 's1');
    emit('started');
    await new Promise((resolve) => process.stdin.once('data', resolve));
    const since = Date.now();
    await ok(channel, 'add', 'n', 'after', 's1');
    emit({ ms: Date.now() - since });
    await call(channel, 'stop', true);
    process.stdin.destroy();
  };

  fault(
    'that gets another address is looked up again: the service follows',
    async () => {
      const hosts = path.join(ctx.redis.dir, 'hosts');
      fs.writeFileSync(hosts, `127.0.0.1 ${NAME}\n`);
      // The same server behind both addresses: what was acknowledged must be there afterwards.
      const one = await proxy(ctx.redis.port);
      const two = await proxy(ctx.redis.port, { host: '127.0.0.2', port: one.port });
      const run = child.start(service, {
        store: one,
        args: { name: NAME },
        within: withHosts(hosts),
      });
      try {
        await run.message('started');
        assert.strictEqual(two.times.length, 0);
        // In place: what is mounted is this very file.
        fs.writeFileSync(hosts, `127.0.0.2 ${NAME}\n`);
        await one.close();
        run.child.stdin.write('go\n');
        await run.closed;
        assert.deepStrictEqual([run.code, run.signal], [0, null], run.output);
        assert.ok(two.times.length > 0, 'it came to the new address');
        assert.deepStrictEqual(await ctx.redis.members('POMELO:CHANNEL:n:s1'), ['after', 'before']);
        const [, { ms }] = run.messages;
        const sees = 'calls wait: the name is looked up at each attempt to connect';
        report({ fault: 'a host name gets another address', sees, recovered: ms });
      } finally {
        run.child.kill('SIGKILL');
        await Promise.all([one.close(), two.close()]);
      }
    },
    { skip: lacksMounts() },
  );

  fault(
    'whose first address is silent: the next one is connected to',
    async () => {
      const hosts = path.join(ctx.redis.dir, 'hosts');
      const port = await freePort();
      // The system prefers this one.
      const dead = await silent('127.0.0.1', port);
      const wire = await proxy(ctx.redis.port, { host: '127.0.0.2', port });
      fs.writeFileSync(hosts, `127.0.0.1 ${NAME}\n127.0.0.2 ${NAME}\n`);
      const connecting = async ({ started: start, args, ok, emit, call }) => {
        const since = Date.now();
        const channel = await start({ host: args.name, port: args.port });
        emit({ ms: Date.now() - since });
        await ok(channel, 'add', 'n', 'me', 's1');
        await call(channel, 'stop', true);
      };
      try {
        const run = await child.run(connecting, {
          store: wire,
          args: { name: NAME, port },
          within: withHosts(hosts),
          deadline: 30000,
        });
        assert.deepStrictEqual([run.code, run.signal], [0, null], run.output);
        assert.deepStrictEqual(await ctx.redis.members('POMELO:CHANNEL:n:s1'), ['me']);
        const [{ ms }] = run.messages;
        assert.ok(ms < 4000, `it took ${ms} ms`);
        const sees = `the next address is tried after 250 ms; start took ${ms} ms`;
        report({ fault: 'a host name whose first address is silent', sees, recovered: '' });
      } finally {
        await Promise.all([dead.close(), wire.close()]);
      }
    },
    { skip: lacksMounts() },
  );
});

area('the port is taken over by something else', {}, (ctx) => {
  const answers = {
    HTTP: 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
    'random bytes': Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 7919) % 256)),
    nothing: null,
  };
  for (const [what, answer] of Object.entries(answers)) {
    fault(`that answers ${what}: calls time out, then the service recovers`, async () => {
      const wire = await proxy(ctx.redis.port);
      try {
        const opts = { commandTimeout: 1000, connectTimeout: 400, retry_max_delay: 200 };
        const service = await started(wire, opts);
        const flight = new Flight(service);
        await flight.send(300).answered();
        wire.toServer = (chunk, { client }) => {
          if (answer) client.write(answer);
          return undefined;
        };
        for (const { client } of wire.links) client.destroy();
        const before = wire.times.length;
        await flight.send(300).answered();
        flight.check('TIMEOUT');
        assert.strictEqual(flight.failed(300).length, 300);
        assert.ok(flight.failed().some(({ record }) => words(record.err).length > 20));
        await until(() => wire.times.length > before + 1, 'attempts');
        assert.ok(wire.times.length - before < 40, `${wire.times.length - before} attempts`);
        wire.toServer = null;
        const recovered = await recovers(service);
        await flight.send(300).answered();
        assert.strictEqual(flight.failed(600).length, 0);
        await flight.check('TIMEOUT').checkStore(ctx.redis);
        const sees = 'calls wait; TIMEOUT after commandTimeout, with the reason as cause';
        report({ fault: `the port answers ${what}`, sees, recovered });
      } finally {
        await wire.close();
      }
    });
  }
});
