'use strict';

/**
 * Name servers that are silent: look-ups of names are shared and take few threads, and a name that is known is found
 * meanwhile. A name whose address changes is in address.test.js.
 */

const assert = require('node:assert');
const dgram = require('dgram');
const { once } = require('events');
const fs = require('fs');
const path = require('path');
const { area, fault } = require('./fault');
const { withFiles, lacksMounts } = require('./hosts');
const child = require('../support/child');
const { report } = require('../support/report');

const NAME = 'redis.pome.test';
/** 8 look-ups at once, and some threads of tokio's and of Node's. */
const MOST = 14;

/** A name server that answers nothing, on an address that only this test has. */
async function silentServer() {
  const socket = dgram.createSocket('udp4');
  const address = `127.53.${(process.pid >> 8) & 255}.${(process.pid & 127) + 1}`;
  socket.bind(53, address);
  await once(socket, 'listening');
  const asked = [];
  socket.on('message', (message) => asked.push(message.toString('latin1')));
  return { address, asked, close: () => socket.close() };
}

area('names, while the name servers are silent', {}, (ctx) => {
  /** Runs `job` with such a name server. */
  async function run(job) {
    const dns = await silentServer();
    const resolver = path.join(ctx.redis.dir, 'resolv.conf');
    const hosts = path.join(ctx.redis.dir, 'hosts');
    fs.writeFileSync(resolver, `nameserver ${dns.address}\noptions timeout:5 attempts:2\n`);
    fs.writeFileSync(hosts, `127.0.0.1 ${NAME}\n`);
    try {
      const done = await child.run(job, {
        store: ctx.redis,
        args: { name: NAME },
        within: withFiles({ '/etc/resolv.conf': resolver, '/etc/hosts': hosts }),
        deadline: 60000,
      });
      assert.deepStrictEqual([done.code, done.signal], [0, null], done.output);
      assert.ok(dns.asked.length > 0, 'it was asked');
      return done.messages.at(-1);
    } finally {
      dns.close();
    }
  }

  const waysToAsk = {
    '20 services with three named sentinels': async (tools) => {
      const sentinels = ['a', 'b', 'c'].map((name) => `${name}.silent.test`);
      const opts = { sentinels, name: 'mymaster', connectTimeout: 500 };
      await tools.args.measure(tools, () => opts, 20);
    },
    '12 services with names of their own': async (tools) => {
      const named = (i) => ({ host: `s${i}.silent.test`, connectTimeout: 200 });
      await tools.args.measure(tools, named, 12);
    },
  };
  const measure = async ({ create, call, ok, opts, args, emit }, options, length) => {
    const fs = require('fs');
    const threads = () => fs.readdirSync('/proc/self/task').length;
    // The threads of Node and of the runtime are there.
    const first = create({ ...opts, host: '127.0.0.1' });
    await ok(first, 'start');
    const before = threads();
    const retries = { startTimeout: 0, retry_max_delay: 100 };
    const services = Array.from({ length }, (_, i) => create({ ...options(i), ...retries }));
    const starts = services.map((service) => call(service, 'start'));
    let most = 0;
    for (let i = 0; i < 80; i += 1) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      most = Math.max(most, threads() - before);
    }
    // It waits for its turn at most as long as the look-ups before it take.
    const since = Date.now();
    const known = create({ ...opts, host: args.name, connectTimeout: 0, startTimeout: 40000 });
    // Longer than `call` waits.
    await new Promise((resolve, reject) => known.start((err) => (err ? reject(err) : resolve())));
    emit({ most, ms: Date.now() - since });
    await Promise.all([...services, first, known].map((service) => call(service, 'stop', true)));
    await Promise.all(starts);
  };

  for (const [what, job] of Object.entries(waysToAsk)) {
    const title = `${what}: few threads, and a name that is known is found`;
    const body = async () => {
      // The source of a job goes to a child, which has nothing of this file.
      const source = `async (tools) => { tools.args.measure = ${measure}; await (${job})(tools); }`;
      const { most, ms } = await run(source);
      assert.ok(most <= MOST, `${most} threads more`);
      const sees = `calls wait; at most ${most} threads more; a known name is found in ${ms} ms`;
      report({ fault: `${what}, and the name servers are silent`, sees, recovered: '' });
    };
    fault(title, body, { skip: lacksMounts(), timeout: 90000 });
  }
});
