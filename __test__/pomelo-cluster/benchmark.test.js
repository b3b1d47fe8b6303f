'use strict';
/**
 * The benchmark in a real cluster (`npm run bench -- --cluster`): that its clients count what they get,
 * that a push too many or too few fails the run, and that a report comes of it. The figures
 * themselves depend on the machine and are no test's business.
 */

const assert = require('node:assert');
const path = require('node:path');
const { describe, it } = require('node:test');
const { ours } = require('./support');
const { contestants } = require('../../benchmark/cluster/figures');
const { document } = require('../../benchmark/cluster/report');
const { runRound } = require('../../benchmark/cluster/round');
const { highestRate } = require('../../benchmark/cluster/search');
const { waysOut } = require('../../demo/fanOut');

const SIZE = 12;
const PLAN = { rate: 50, warmUp: 4, count: 10, changes: 4, idle: 1 };
const [old, us] = contestants;
const root = path.resolve(__dirname, '../..');

/** With a fault, for the test of the check: `twice`, `drop`, `swap`. */
async function measure({ id, plugin = root, options }, clients, fault) {
  if (fault) process.env.BENCHMARK_FAULT = fault;
  try {
    // A fault is in the third push, which is to be one of those that are measured.
    const warmUp = fault ? undefined : { size: 9, count: 4, rate: 50 };
    const figures = await runRound({ plugin, options }, clients, [SIZE], () => PLAN, {
      arrival: 5000,
      warmUp,
    });
    return { round: 0, contestant: id, clients, size: SIZE, ...figures[SIZE] };
  } finally {
    delete process.env.BENCHMARK_FAULT;
  }
}

function assertReport(clients, records) {
  const report = document({
    machine: { command: 'npm test', date: 'today', machine: '', system: '', versions: {} },
    sizes: [SIZE],
    clients: [clients],
    rounds: 1,
    limit: { p99: 250, seconds: 1 },
    plans: { [SIZE]: PLAN },
    contestants: ['old', 'ours'],
    records,
    floor: { sockets: 334, send: 1500, write: 2000 },
  });
  for (const row of ['CPU of the whole', 'Redis', 'last client, p50', 'one member changed']) {
    const cells = new RegExp(`\\| [^|]*${row}[^|]*\\| +[\\d.]+ \\| +[\\d.]+ \\| +[\\d.]+×`);
    assert.match(report, cells);
  }
}

const onLinux = { skip: process.platform !== 'linux' && 'CPU times come from /proc' };

describe('the benchmark in a cluster', onLinux, () => {
  for (const clients of ['plain', 'deflate']) {
    ours(`measures pushes and reports (${clients} clients)`, async () => {
      const records = [await measure(old, clients), await measure(us, clients)];
      for (const { contestant, cpu, sends, rpc, last, answer, compressed } of records) {
        assert.strictEqual(last.length, PLAN.count, contestant);
        assert.ok(
          [...last, ...answer].every((ms) => ms > 0),
          contestant,
        );
        assert.ok(Object.values(cpu).every(Number.isFinite), contestant);
        assert.ok(contestant === 'old' ? sends === null : sends > 0, `${contestant}: ${sends}`);
        // Uids of at least 9 characters; a list of 12 is too short for anything but to be sent.
        assert.ok(rpc.bytesOut > SIZE * 9 && rpc.bytesChanged > (SIZE - 1) * 9, contestant);
        // All but the three witnesses, whose messages are not counted; pomelo compresses what it can.
        const every = clients === 'deflate' ? SIZE - 3 : 0;
        if (contestant === 'old') assert.strictEqual(compressed, every);
      }
      assertReport(clients, records);
    });
  }

  const faults = {
    twice: /got 1,2,3,[34],[34]|push 3 came/,
    swap: /got 1,2,4,3|out of order/,
    drop: /push 3 came 3 times to 4 clients|out of order/,
  };
  for (const [fault, problem] of Object.entries(faults)) {
    ours(
      `fails when a push reaches a client too often, late or not at all (${fault})`,
      async () => {
        await assert.rejects(measure(us, 'plain', fault), problem);
      },
    );
  }

  ours('fails also when the clients cannot read what came twice', async () => {
    await assert.rejects(
      measure(old, 'deflate', 'twice'),
      /got 1,2,3,[34],[34]|out of order, or too many/,
    );
  });
});

describe('the search for the highest rate', () => {
  for (const limit of [3, 50, 700]) {
    it(`finds ${limit} from far below and far above`, async () => {
      for (const guess of [limit / 20, limit * 20]) {
        const found = await highestRate(guess, async (rate) => rate <= limit);
        assert.ok(found <= limit && found > limit * 0.9, `${found}`);
      }
    });
  }

  it('gives a rate that failed a second chance', async () => {
    let tries = 0;
    const found = await highestRate(50, async (rate) => (tries += 1) % 2 === 0 && rate <= 70);
    assert.ok(found <= 70 && found > 63, `${found}`);
  });

  it('gives up where nothing holds, and where everything does', async () => {
    assert.strictEqual(await highestRate(50, async () => false), null);
    assert.ok((await highestRate(50, async () => true)) > 1000);
  });
});

describe('how messages left the frontends', () => {
  it('is told by the names of the counters, over all frontends', () => {
    const one = { native: 3, framework: { total: 2, reasons: { tls: 2 } }, idle: 0, mode: 'on' };
    const text = 'native 6, framework.total 4, framework.reasons.tls 4';
    assert.strictEqual(waysOut([one, null, one]), text);
  });

  it('is nothing where none is counted', () => {
    assert.strictEqual(waysOut([null, undefined, {}]), null);
  });
});
