'use strict';

/**
 * Other connectors, encoders and push schedulers than the usual ones: what the clients get with the fan-out is what they
 * get without it, and a scheduler that the app chose itself stays in force.
 */

const assert = require('node:assert');
const { generateKeyPairSync } = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, before, describe, it } = require('node:test');
const fc = require('fast-check');
const { certificates } = require('../support/certificates');
const { removeFolder } = require('../support/remove');
const { Frontends } = require('./frontends');
const { MqttClient, SioClient, UdpClient } = require('./library-clients');
const { playBoth, assertSame, schedules, pushSchedules } = require('./schedule');

const TIMEOUT = 120000;
const RUNS = Math.ceil((Number(process.env.FANOUT_RUNS) || 40) / 10);
const SEED = process.env.FANOUT_SEED ? { seed: Number(process.env.FANOUT_SEED) } : {};

/** What a client with `useCrypto` tells of itself. */
function rsa() {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const { n } = publicKey.export({ format: 'jwk' });
  return { rsa_n: Buffer.from(n, 'base64url').toString('hex'), rsa_e: '10001' };
}

describe('other connectors, encoders and schedulers', () => {
  const frontends = new Frontends();
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'fan-out-'));
  let tls;

  before(() => {
    const hosts = ['IP:127.0.0.1'];
    tls = certificates(folder).authority('ca').sign('frontend', { hosts }).files;
  });

  after(async () => {
    await frontends.close();
    removeFolder(folder);
  });

  const test = (title, fn) => it(title, { timeout: TIMEOUT }, fn);

  /** What the fan-out sent itself. */
  const own = ({ native, shared }) => native + shared;

  /** Random schedules with and without the fan-out, in frontends that are set up so. */
  async function assertAlike(setup, { cases = schedules, kind, connect, bytes, off = setup } = {}) {
    const pair = await frontends.pair(setup, off);
    const ofKind = ({ kinds, steps }) => ({
      kinds: kinds.map((each) => kind || each),
      steps: steps.filter(({ join }) => !kind || !join),
    });
    const property = fc.asyncProperty(cases.map(ofKind), async (schedule) => {
      assertSame(await playBoth(pair, schedule, connect), { bytes });
    });
    try {
      await fc.assert(property, { numRuns: RUNS, includeErrorInReport: true, ...SEED });
      return await pair.on.call('stats');
    } finally {
      await Promise.all([frontends.stop(pair.on), frontends.stop(pair.off)]);
    }
  }

  for (const framework of ['pomelo', 'pinus']) {
    test(`${framework}: wss, and TCP with TLS, by the shared frame`, async () => {
      const { native, shared } = await assertAlike({ framework, tls, deflate: true });
      assert.strictEqual(native, 0);
      assert.ok(shared > 0);
    });

    const sio = (uid, kind, { port }) => new SioClient({ uid, kind, port });

    test(`${framework}: sioconnector`, () =>
      assertAlike(
        {
          framework,
          connector: 'sioconnector',
          // The defaults, in milliseconds, look like seconds.
          connectorOptions: {
            heartbeatTimeout: 60000,
            heartbeatInterval: 25000,
            closeTimeout: 60000,
            pingTimeout: 60000,
            pingInterval: 25000,
            transports: ['websocket', 'polling'],
          },
        },
        {
          cases: pushSchedules,
          kind: framework === 'pomelo' ? 'sio1' : 'sio4',
          connect: sio,
          bytes: false,
        },
      ));

    // Larger datagrams would be lost, and what mqttconnector sends is made by its encoder.
    const upTo = (largest, without) =>
      pushSchedules.map(({ kinds, steps }) => ({
        kinds,
        steps: steps.map(({ turn }) => ({
          turn: turn.map((op) => ({
            ...op,
            do: op.do === without ? 'uids' : op.do,
            size: Math.min(op.size, largest),
          })),
        })),
      }));

    for (const [name, Kind, cases, coder] of [
      ['mqttconnector', MqttClient, upTo(100000, 'schedule'), 'mqtt'],
      ['udpconnector', UdpClient, upTo(3000)],
    ]) {
      test(`${framework}: ${name} stays as it is`, async () => {
        const setup = { framework, connector: name, coder };
        const connect = (uid, kind, { port }) => new Kind({ uid, kind, port });
        const stats = await assertAlike(setup, { cases, kind: name, connect, bytes: false });
        assert.strictEqual(stats.enabled, true);
        assert.strictEqual(own(stats), 0);
        assert.ok(stats.reasons.otherSocket > 0);
      });
    }

    for (const coder of ['own', 'text']) {
      test(`${framework}: \`encode\` of the app's own (${coder})`, () =>
        assertAlike({ framework, coder, deflate: true }));
    }

    test(`${framework}: useCrypto`, () =>
      assertAlike({ framework, coder: 'crypto', sys: { rsa: rsa() }, deflate: true }));

    test(`${framework}: the buffering scheduler stays in force`, async () => {
      // It puts together what comes within 5 ms.
      const how = { cases: pushSchedules, bytes: false };
      const stats = await assertAlike({ framework, scheduler: 'buffer', deflate: true }, how);
      assert.strictEqual(own(stats), 0);
    });

    test(`${framework}: a scheduler of the app's own stays in force`, async () => {
      const setup = { framework, scheduler: 'custom', deflate: true };
      const stats = await assertAlike(setup, { cases: pushSchedules });
      assert.strictEqual(own(stats), 0);
    });

    for (const scheduler of ['fanOut', 'several']) {
      test(`${framework}: the fan-out as the app has named it itself (${scheduler})`, async () => {
        const on = { framework, scheduler, deflate: true };
        const stats = await assertAlike(on, { off: { framework, deflate: true } });
        assert.ok(stats.native > 0);
      });
    }
  }

  test('pomelo: useAsyncCoder', () => assertAlike({ framework: 'pomelo', coder: 'async' }));
});
