'use strict';
/**
 * Pushes to several channels, with exceptions, by uids and to all sessions, while a connector is killed, is gone, and comes back
 * under its id, in a real pomelo 2.2.7 and a real pinus 1.7.4 cluster. Clients of the other connector get each push that is
 * for them exactly once, in order; the failed uids are those of the connector that died. The tests of a cluster go through
 * these phases, so their order matters.
 */

const assert = require('node:assert');
const path = require('node:path');
const { setTimeout: pause } = require('node:timers/promises');
const { before, after, describe } = require('node:test');
const support = require('./support');
const { startCluster } = require('../../demo/cluster');
const { Client, connectClients } = require('../../demo/client');

const { IMPL, among, join, ours, startCalls, uids, until } = support;

const FRAMEWORKS = { pomelo: {}, pinus: { app: path.join(__dirname, 'pinus-app') } };
const [LIVES, DIES] = ['connector-1', 'connector-2'];
const LOST = 'ERR_GLOBAL_CHANNEL_PUSH_FAILED';

/** Members without a session, so that the lists are long enough for names; they are failed uids where they are sent to. */
const absent = (sid) => Array.from({ length: 200 }, (_, i) => `absent-on-${sid}-${i}`);

/** The pushes of a round: `[args(msg), users(sid)]`, the users whom such a push is for; null is all sessions. */
function kindsOf(clients) {
  const on = (sid, from) => clients.slice(...from).filter(({ connector }) => connector === sid);
  const left = (sid) => uids(on(sid, [0, 8]));
  const right = (sid) => [...uids(on(sid, [4, 12])), ...absent(sid)];
  const all = (sid) => [...new Set([...left(sid), ...right(sid)])];
  const some = uids([0, 3, 5, 6, 9, 10].map((i) => clients[i]));
  const names = ['left', 'right'];
  const toNames = (opts, users) => [
    (msg) => ['pushMessage', 'connector', 'onChat', msg, names, opts],
    users,
  ];
  const toUids = (sid) => {
    const there = [...uids(on(sid, [2, 9])), 'unknown'];
    const opts = { sid };
    return [
      (msg) => ['pushMessageByUids', 'connector', 'onChat', msg, [...there, there[0]], opts],
      (each) => (each === sid ? there : []),
    ];
  };
  return [
    toNames({}, all),
    toNames({ except: some }, (sid) => all(sid).filter((uid) => !some.includes(uid))),
    toUids(LIVES),
    toNames({ only: some }, (sid) => all(sid).filter((uid) => some.includes(uid))),
    [(msg) => ['broadcast', 'connector', 'onChat', msg, { binded: true }], null],
    toNames({ exceptChannels: 'left' }, (sid) => right(sid).filter((x) => !left(sid).includes(x))),
    toUids(DIES),
  ];
}

for (const [framework, options] of Object.entries(FRAMEWORKS)) {
  describe(`a ${framework} cluster of which a connector dies and comes back`, () => {
    let cluster;
    let clients = [];
    let kinds;
    /** All pushes so far, `{n, kind}`. */
    const sent = [];
    const isOn = (sid) => (client) => client.connector === sid;
    const users = (kind, sid) => (kinds[kind][1] ? kinds[kind][1](sid) : uids(clients));
    const isFor =
      (client) =>
      ({ kind }) =>
        users(kind, client.connector).includes(client.uid);

    before(async () => {
      if (IMPL === 'old') return;
      cluster = await startCluster({ ...options, connectors: 2, chats: 1 });
      clients = await connectClients(cluster, 12);
      kinds = kindsOf(clients);
      await join(clients.slice(0, 8), 'left');
      await join(clients.slice(4), 'right');
      for (const sid of [LIVES, DIES]) {
        await cluster.call('chat-1', 'add', 'right', absent(sid), sid);
      }
    });

    after(async () => {
      clients.forEach((client) => client.close());
      await cluster?.stop();
    });

    /** Some rounds of all kinds of pushes, in one go. */
    function start(rounds = 2) {
      let next = 0;
      const count = rounds * kinds.length;
      const calls = startCalls(cluster, 'chat-1', count, (msg) =>
        kinds[next++ % kinds.length][0](msg),
      );
      const pushes = calls.numbers.map((n, i) => ({ n, kind: i % kinds.length }));
      sent.push(...pushes);
      return { ...calls, pushes };
    }

    /** Which of the users of a push have no session on that frontend, which is alive. */
    const missing = (kind, sid) =>
      users(kind, sid).filter((uid) => !clients.some((c) => c.uid === uid && c.connector === sid));

    /** Compares the answers with `failed(kind)`, the failed uids (or frontends), or the code of an error. */
    async function assertAnswers({ answers, pushes, answered }, failed) {
      await answered();
      pushes.forEach(({ n, kind }, i) => {
        assert.strictEqual(answers[i].length, 1, `push ${n} is answered once`);
        const [{ error, value }] = answers[i];
        const expected = failed(kind);
        assert.deepStrictEqual(
          error ? error.code : [...value].sort(),
          Array.isArray(expected) ? [...expected].sort() : expected,
          `push ${n} of kind ${kind}`,
        );
      });
    }

    /** Every push of the test that is for the client came to it, once and in order, and no other. */
    async function assertGotAll(some, from = 0) {
      await Promise.all(some.map((client) => client.ping()));
      const numbers = sent.map(({ n }) => n);
      for (const client of some) {
        const expected = sent.slice(from).filter(isFor(client));
        const got = among(client, numbers.slice(from));
        const wanted = expected.map(({ n }) => n);
        assert.deepStrictEqual(got, wanted, `messages of ${client.uid}`);
      }
    }

    const isByUids = (kind, sid) => users(kind, sid === DIES ? LIVES : DIES).length === 0;
    const isBroadcast = (kind) => kinds[kind][1] === null;

    ours('all is well: each client gets what is for it, and no other client does', async () => {
      for (let i = 0; i < 3; i += 1) {
        await assertAnswers(start(), (kind) =>
          isBroadcast(kind) ? [] : [LIVES, DIES].flatMap((sid) => missing(kind, sid)),
        );
      }
      await assertGotAll(clients);
    });

    ours('killed in mid-push: its users are the failed uids, the others miss nothing', async () => {
      // Frozen first, so that the kill comes when the pushes are certainly under way.
      cluster.servers.get(DIES).child.kill('SIGSTOP');
      const calls = start(4);
      const living = clients.filter(isOn(LIVES));
      const arrived = (client) =>
        among(client, calls.numbers).length === calls.pushes.filter(isFor(client)).length;
      await until(() => living.every(arrived), 'clients of the other connector');
      await cluster.stopServer(DIES, 'SIGKILL');
      await assertAnswers(calls, (kind) => {
        if (isBroadcast(kind)) return [DIES];
        // No frontend took it.
        if (isByUids(kind, DIES)) return LOST;
        return [...missing(kind, LIVES), ...users(kind, DIES)];
      });
      await assertGotAll(living);
    });

    ours('gone: pushes do not wait for it', async () => {
      await cluster.allKnown();
      for (let i = 0; i < 3; i += 1) {
        await assertAnswers(start(), (kind) => {
          if (isBroadcast(kind)) return [];
          return isByUids(kind, DIES) ? LOST : missing(kind, LIVES);
        });
      }
      await assertGotAll(clients.filter(isOn(LIVES)));
    });

    ours('coming back during pushes: no client misses one, or gets one twice', async () => {
      const living = clients.filter(isOn(LIVES));
      const old = clients.filter(isOn(DIES));
      const back = [];
      const state = { isBack: false };
      const comeBack = async () => {
        const { chat } = old[0];
        await cluster.startServer(DIES);
        await cluster.allKnown();
        const info = cluster.connectors.find(({ id }) => id === DIES);
        for (const { uid } of old) back.push(await Client.connect(info, uid, chat));
        state.isBack = true;
      };
      const returning = comeBack();
      returning.catch(() => (state.isBack = true));
      const stream = [];
      do {
        stream.push(start(1));
        await pause(30);
      } while (!state.isBack);
      await returning;
      stream.push(start(1));
      for (const calls of stream) {
        await calls.answered();
        calls.pushes.forEach(({ kind }, i) => {
          const [{ error, value }, ...more] = calls.answers[i];
          assert.deepStrictEqual(more, []);
          if (isBroadcast(kind) || (error && isByUids(kind, DIES))) return;
          assert.strictEqual(error, null);
          const sure = missing(kind, LIVES);
          const possible = [...sure, ...users(kind, DIES)];
          assert.deepStrictEqual(
            value.filter((uid) => !possible.includes(uid)),
            [],
            'failed uids are those of the connector that came back, or have no session',
          );
          assert.deepStrictEqual(
            sure.filter((uid) => !value.includes(uid)),
            [],
            'users without a session are failed uids',
          );
        });
      }
      await assertGotAll(living);
      await Promise.all(back.map((client) => client.ping()));
      for (const client of back) {
        const numbers = client.messages.map(({ n }) => n);
        const isSent = new Set(sent.filter(isFor(client)).map(({ n }) => n));
        assert.deepStrictEqual(
          numbers.filter((n) => !isSent.has(n)),
          [],
          `${client.uid} got only what is for it`,
        );
        const inOrder = [...new Set(numbers)].sort((a, b) => a - b);
        assert.deepStrictEqual(numbers, inOrder, `${client.uid} got each once, in order`);
      }
      old.forEach((client) => client.close());
      clients = [...living, ...back];
    });

    ours('back: each client gets what is for it, as before', async () => {
      const from = sent.length;
      for (let i = 0; i < 3; i += 1) {
        await assertAnswers(start(), (kind) =>
          isBroadcast(kind) ? [] : [LIVES, DIES].flatMap((sid) => missing(kind, sid)),
        );
      }
      await assertGotAll(clients, from);
    });
  });
}
