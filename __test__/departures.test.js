'use strict';

/**
 * Pushes to frontends that leave the cluster while their answers are awaited: their part ends soon after the framework's
 * event, unless the frontend answers or is registered again. In real clusters: pomelo-cluster/connector-death.test.js.
 */

const assert = require('node:assert');
const { EventEmitter } = require('events');
const { afterEach, describe } = require('node:test');
const { createApp } = require('./support/app');
const { call, invoke } = require('./support/call');
const { startedWith } = require('./support/manager');
const { ours } = require('./support/rows');
const { stopAll } = require('./support/service');
const { nothingFor, until } = require('./support/until');

/** Much longer than the grace of a frontend that has left: 1 s. */
const LATE = 20000;
const LONG = Array.from({ length: 300 }, (_, i) => `user-${i}`);

describe('A frontend that leaves the cluster', () => {
  let app;
  let service;
  /** The answers that the frontends owe, by server id: `{method, cb}`. */
  let owed;
  let lists;

  afterEach(stopAll);

  async function start(options, event = new EventEmitter()) {
    owed = { s1: [], s2: [], s3: [] };
    lists = { s1: ['a'], s2: ['b', 'c'], s3: ['d'] };
    app = createApp({
      rpc: (sid, { service: remote, method }, cb) => {
        if (method === 'hello') {
          cb(null, { globalChannelLists: 1, token: 't', maxBytes: 1e6 });
        } else if (owed[sid]) {
          owed[sid].push({ remote, cb });
        } else {
          cb(null, []);
        }
      },
    });
    app.event = event;
    const manager = {
      add() {},
      getMembersBySid: (name, sid, cb) => cb(null, lists[sid] || []),
    };
    service = await startedWith(manager, { pushTimeout: LATE, ...options }, app);
  }
  const push = () => invoke(service, 'pushMessage', 'connector', 'onChat', {}, 'n', {});
  const answer = (...sids) => {
    for (const sid of sids) for (const { cb } of owed[sid].splice(0)) cb(null, []);
  };
  const underWay = (sid, count = 1) =>
    until(() => owed[sid].length === count, `${count} RPCs to ${sid}`);
  /** As pomelo: the server is gone from the lists, then the event is emitted. */
  const leave = (sid) => {
    app.removeServer(sid);
    app.event.emit('remove_servers', [sid]);
  };
  const register = (sid) => {
    const info = { id: sid, serverType: 'connector', frontend: 'true' };
    app.addServer(info);
    app.event.emit('add_servers', [info]);
  };

  async function answeredSoon(record) {
    const { args, ms } = await record.done;
    assert.ok(ms < LATE / 2, `${ms} ms`);
    return args;
  }

  ours('its members are failed uids, soon after the event; the others count as usual', async () => {
    await start();
    const record = push();
    await underWay('s2');
    answer('s1', 's3');
    leave('s2');
    assert.deepStrictEqual(await answeredSoon(record), [null, ['b', 'c']]);
    // pomelo-rpc's own, late answer.
    owed.s2[0].cb(new Error('rpc timeout'));
    assert.strictEqual(record.n, 1);
  });

  ours(
    'pushes that are answered in any order leave the others in the list of those that wait',
    async () => {
      await start();
      const records = Array.from({ length: 5 }, push);
      await underWay('s2', 5);
      answer('s1', 's3');
      // The third, the first and the last.
      for (const place of [2, 0, 2]) owed.s2.splice(place, 1)[0].cb(null, []);
      for (const place of [2, 0]) {
        assert.deepStrictEqual(await answeredSoon(records[place]), [null, []]);
      }
      leave('s2');
      const ends = await Promise.all(records.map(answeredSoon));
      const missed = ends.map(([, failed]) => failed.length);
      assert.deepStrictEqual(missed, [0, 2, 0, 2, 0]);
    },
  );

  ours('all of them: the error says why', async () => {
    await start({ pushTimeout: 0 });
    const record = push();
    await underWay('s3');
    for (const sid of ['s1', 's2', 's3']) leave(sid);
    const [err] = await answeredSoon(record);
    assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_PUSH_FAILED');
    assert.match(err.cause.message, /has left the cluster/);
  });

  ours('all pushes under way end, and pushes that a callback makes then', async () => {
    await start();
    const again = [];
    const records = [push(), push(), push()];
    for (const { done } of records) done.then(() => again.push(push()));
    await underWay('s2', 3);
    answer('s1', 's3');
    app.event.emit('remove_servers', ['s2']);
    for (const record of records)
      assert.deepStrictEqual((await answeredSoon(record))[1], ['b', 'c']);
    await until(() => again.length === 3, 'the pushes of the callbacks');
    await underWay('s2', 6);
    answer('s1', 's3');
    for (const record of again) assert.deepStrictEqual((await answeredSoon(record))[1], ['b', 'c']);
  });

  ours('one that left between the look-up and the RPC', async () => {
    await start();
    // The first push makes the plugin listen.
    const before = push();
    await underWay('s3');
    answer('s1', 's2', 's3');
    await before.done;
    const { getServersByType } = app;
    const snapshot = [...app.getServersByType('connector')];
    app.getServersByType = () => snapshot;
    leave('s2');
    // Its grace is over before the push, whose members were read slowly.
    await nothingFor(1200);
    const record = push();
    app.getServersByType = getServersByType;
    await underWay('s2');
    answer('s1', 's3');
    assert.deepStrictEqual(await answeredSoon(record), [null, ['b', 'c']]);
  });

  ours('an answer after the event counts', async () => {
    await start();
    const record = push();
    await underWay('s2');
    leave('s2');
    answer('s1', 's2', 's3');
    assert.deepStrictEqual((await record.done).args, [null, []]);
  });

  for (const event of ['add_servers', 'replace_servers']) {
    ours(`one that is registered again at once is waited for (${event})`, async () => {
      await start();
      const record = push();
      await underWay('s2');
      answer('s1', 's3');
      leave('s2');
      if (event === 'add_servers') register('s2');
      else app.event.emit(event, [{ id: 's1' }, { id: 's2' }, { id: 's3' }]);
      await nothingFor(1500);
      assert.strictEqual(record.n, 0);
      answer('s2');
      assert.deepStrictEqual((await record.done).args, [null, []]);
    });
  }

  ours('one that is not among the servers that replace the others has left', async () => {
    await start();
    const record = push();
    await underWay('s2');
    answer('s1', 's3');
    app.event.emit('replace_servers', [{ id: 's1' }, { id: 's3' }]);
    assert.deepStrictEqual(await answeredSoon(record), [null, ['b', 'c']]);
  });

  ours('pushes by the number of a list end too', async () => {
    await start();
    lists = { s1: LONG };
    for (let i = 0; i < 3; i += 1) {
      const before = push();
      await underWay('s1');
      const [{ remote, cb }] = owed.s1.splice(0);
      cb(null, remote === 'lists' ? { globalChannelLists: 1, token: 't', failed: [] } : []);
      await before.done;
    }
    const record = push();
    await underWay('s1');
    assert.strictEqual(owed.s1[0].remote, 'lists');
    leave('s1');
    assert.deepStrictEqual(await answeredSoon(record), [null, LONG]);
  });

  ours('the own sessions of a pushing frontend are not given up', async () => {
    await start();
    let deliver;
    app.serverId = 's2';
    const channelRemote = {
      pushMessage: (...args) => {
        deliver = args.pop();
      },
    };
    app.components = { ['__remote__']: { remote: { services: { sys: { channelRemote } } } } };
    const record = push();
    await until(() => deliver, 'the push to the own sessions');
    answer('s3');
    leave('s1');
    leave('s2');
    await nothingFor(1500);
    assert.strictEqual(record.n, 0);
    deliver(null, []);
    assert.deepStrictEqual(await answeredSoon(record), [null, ['a']]);
  });

  for (const fanOut of [true, false]) {
    ours(`after stop nothing listens to the app any more (fanOut: ${fanOut})`, async () => {
      await start({ fanOut });
      const record = push();
      await underWay('s3');
      assert.strictEqual(app.event.listenerCount('remove_servers'), 1);
      leave('s2');
      answer('s1', 's3');
      await call(service, 'stop', true);
      await record.done;
      for (const event of ['add_servers', 'remove_servers', 'replace_servers']) {
        assert.strictEqual(app.event.listenerCount(event), 0, event);
      }
    });
  }

  ours('events in another form do no harm', async () => {
    await start();
    const record = push();
    await underWay('s3');
    for (const odd of [undefined, null, 5, 's2', {}, [null], [{ id: 's2' }]]) {
      app.event.emit('remove_servers', odd);
      app.event.emit('add_servers', odd);
    }
    answer('s1', 's2', 's3');
    assert.deepStrictEqual((await record.done).args, [null, []]);
  });

  for (const event of [null, {}, { on: 5 }]) {
    ours(`an app whose event is ${JSON.stringify(event)} does no harm`, async () => {
      await start({}, event);
      const record = push();
      await underWay('s3');
      answer('s1', 's2', 's3');
      assert.deepStrictEqual((await record.done).args, [null, []]);
    });
  }
});
