'use strict';

/** Thousands of reconnects leave nothing behind. 300 in `npm test`, 10,000 in `npm run test:faults`, or RECONNECTS. */

const assert = require('node:assert');
const fs = require('fs');
const { area, fault } = require('./fault');
const { recovers } = require('./flight');
const { proxy } = require('./wire');
const { started } = require('../support/service');
const { ok, call } = require('../support/call');
const { logged } = require('../support/log');
const { report, LONG } = require('../support/report');

const COUNT = Number(process.env.RECONNECTS) || (LONG ? 10000 : 300);
const WARM_UP = 100;
// In MiB. A leak of a connection (a parser with its buffers, a task) would take tens of KiB each time.
const GROWTH = 48;

const descriptors = () =>
  fs.existsSync('/proc/self/fd') ? fs.readdirSync('/proc/self/fd').length : 0;
const resident = () => process.memoryUsage().rss / 2 ** 20;

area(`${COUNT} reconnects in a row`, {}, (ctx) => {
  const title = 'each call is done, and neither memory nor descriptors grow';
  const body = async () => {
    const wire = await proxy(ctx.redis.port);
    try {
      const service = await started(wire, { retry_max_delay: 2 });
      await ok(service, 'add', 'n', 'u', 's1');
      let before;
      const lines = await logged(async () => {
        for (let i = 0; i < COUNT; i += 1) {
          if (i === WARM_UP) before = { fds: descriptors(), rss: resident() };
          for (const { client } of wire.links.splice(0)) client.destroy();
          const adding = call(service, 'add', 'n', `u${i % 100}`, 's1');
          assert.strictEqual((await ok(service, 'getMembersBySid', 'n', 's1')).includes('u'), true);
          assert.ifError((await adding).err);
        }
      });
      const { reconnects } = service.stats();
      assert.ok(reconnects >= COUNT, `${reconnects} reconnects`);
      assert.ok(lines.length <= 6 * COUNT, `${lines.length} lines in the log`);
      const fds = descriptors() - before.fds;
      const rss = resident() - before.rss;
      assert.ok(fds <= 10, `${fds} more descriptors`);
      assert.ok(rss < GROWTH, `the process has grown by ${rss.toFixed(1)} MiB`);
      const sees = `all calls are done; after all of them ${Math.round(rss)} MiB and ${fds} descriptors more`;
      const recovered = await recovers(service);
      report({ fault: `${reconnects} reconnects in a row`, sees, recovered });
    } finally {
      await wire.close();
    }
  };
  fault(title, body, { timeout: 15 * 60 * 1000 });
});
