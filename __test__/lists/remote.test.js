'use strict';

/**
 * The frontend's end of names for lists over the frameworks' own session service and remote: which sessions get a push
 * is what the framework's remote says for the same uids at that moment, and what the app has replaced is called.
 */

const assert = require('node:assert');
const { EventEmitter } = require('events');
const { describe, test } = require('node:test');
const fc = require('fast-check');
const offerLists = require('../../lib/lists/remote');
const { VERSION } = require('../../lib/lists/protocol');

require('reflect-metadata');
require('pomelo-logger').setGlobalLogLevel('OFF');

const RUNS = Number(process.env.LISTS_RUNS) || 100;
const USERS = Array.from({ length: 12 }, (_, i) => `u${i}`);
const OPTS = { type: 'push', userOptions: {}, isPush: true };
const PLACE = {
  pomelo: 'pomelo/lib/common/remote/frontend/channelRemote',
  pinus: 'pinus/dist/lib/common/remote/frontend/channelRemote',
};

class Frontend {
  constructor(framework) {
    const services = { sys: {} };
    const settings = {};
    /** The arguments of each message that the connector was given. */
    this.sent = [];
    const send = (...args) => {
      this.sent.push(args);
      process.nextTick(args[args.length - 1]);
    };
    this.app = Object.assign(new EventEmitter(), {
      serverId: 'connector-1',
      isFrontend: () => true,
      event: new EventEmitter(),
      get: (name) => settings[name],
      set: (name, value) => (settings[name] = value),
      components: {
        ['__remote__']: { remote: { services } },
        ['__connector__']: { send },
      },
    });
    if (framework === 'pomelo') {
      // With its component, which hides the service.
      this.sessions = require('pomelo/lib/components/session')(this.app, {});
      this.own = require(PLACE.pomelo)(this.app);
    } else {
      const { SessionService } = require('pinus');
      this.sessions = new SessionService();
      this.app.set('sessionService', this.sessions);
      this.own = new (require(PLACE.pinus).ChannelRemote)(this.app);
    }
    this.framework = framework;
    services.sys.channelRemote = this.own;
    offerLists(this.app);
    this.app.event.emit('start_server', 'connector-1');
    this.remote = services.globalChannel.lists;
    this.lastId = 0;
    this.lastNumber = 0;
  }

  async start() {
    this.token = (await this.call(this.remote, 'hello', VERSION, 'pusher', 'chat-1')).token;
    return this;
  }

  call(remote, method, ...args) {
    if (this.framework === 'pinus') return remote[method](...args);
    return new Promise((resolve, reject) => {
      remote[method](...args, (err, value) => (err ? reject(err) : resolve(value)));
    });
  }

  /** Pushes by our remote; `users` are the last arguments of protocol.js. Returns the ids of sessions, and failed uids. */
  async push(...users) {
    const args = [this.token, 'pusher', 1, 'onChat', { t: 1 }, OPTS, ...users];
    const { failed } = await this.call(this.remote, 'push', ...args);
    return { ids: this.given(), failed };
  }

  /** What the framework's own remote does with these uids. */
  async plain(uids) {
    const failed = await this.call(this.own, 'pushMessage', 'onChat', { t: 1 }, uids, OPTS);
    return { ids: this.given(), failed };
  }

  given() {
    const [[reqId, route, msg, ids, opts], ...more] = this.sent.splice(0);
    assert.deepStrictEqual(
      { reqId, route, msg, opts, more },
      { reqId: null, route: 'onChat', msg: { t: 1 }, opts: OPTS, more: [] },
    );
    return ids;
  }

  join(uid) {
    this.lastId += 1;
    this.sessions.create(this.lastId, 'connector-1', new EventEmitter());
    this.sessions.bind(this.lastId, uid, () => {});
    return this.lastId;
  }
}

const sorted = ({ ids, failed }) => ({
  ids: [...ids].sort((a, b) => a - b),
  failed: [...failed].sort(),
});

const user = fc.nat(USERS.length - 1);
const action = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('push') }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('join'), user }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('unbind'), user, last: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove'), user, last: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('change'), user }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('except'), user }) },
);

for (const framework of ['pomelo', 'pinus']) {
  describe(`A list that is kept, over ${framework}'s session service`, () => {
    test(`${RUNS} random runs: the sessions, and the failed uids, are those of the framework's remote`, async () => {
      const property = fc.asyncProperty(
        fc.array(action, { minLength: 20, maxLength: 60, size: 'max' }),
        async (actions) => {
          const frontend = await new Frontend(framework).start();
          let list = USERS.filter((_, i) => i % 4 > 0);
          const same = async (uids, ...users) =>
            assert.deepStrictEqual(
              sorted(await frontend.push(...users)),
              sorted(await frontend.plain(uids)),
            );
          let number = 1;
          await same(list, number, list.slice());
          for (const { do: what, user: at, last } of actions) {
            const uid = USERS[at];
            const session = frontend.sessions.getByUid(uid)?.at(last ? -1 : 0);
            if (what === 'join') frontend.join(uid);
            else if (what === 'unbind' && session)
              frontend.sessions.unbind(session.id, uid, () => {});
            else if (what === 'remove' && session) frontend.sessions.remove(session.id);
            else if (what === 'except') {
              const others = list.filter((each) => each !== uid);
              await same(others, number, null, null, null, null, [uid]);
            } else if (what === 'change') {
              const isThere = list.includes(uid);
              list = isThere ? list.filter((each) => each !== uid) : [...list, uid];
              const [removed, added] = isThere ? [[uid], []] : [[], [uid]];
              await same(list, number + 1, null, number, removed, added);
              number += 1;
            } else if (what === 'push') await same(list, number);
          }
        },
      );
      await fc.assert(property, { numRuns: RUNS, includeErrorInReport: true });
    });

    test('when it is pushed again, its sessions get the message in the order in which they were made', async () => {
      const frontend = await new Frontend(framework).start();
      const users = USERS.slice(0, 8);
      for (const uid of users) frontend.join(uid);
      const list = ['u7', 'u6', 'u5', 'u4', 'nobody', ...users.slice(0, 4)];
      const first = await frontend.push(1, list.slice());
      assert.deepStrictEqual(first, { ids: [8, 7, 6, 5, 1, 2, 3, 4], failed: ['nobody'] });
      const again = await frontend.push(1);
      assert.deepStrictEqual(again, { ids: [1, 2, 3, 4, 5, 6, 7, 8], failed: ['nobody'] });
    });

    test('a user who comes back later is put in order after some hundred pushes', async () => {
      const frontend = await new Frontend(framework).start();
      const [a, b] = USERS;
      const first = frontend.join(a);
      frontend.join(b);
      await frontend.push(1, [a, b]);
      await frontend.push(1);
      frontend.sessions.remove(first);
      frontend.join(a);
      assert.deepStrictEqual((await frontend.push(1)).ids, [3, 2]);
      let ids;
      for (let i = 0; i < 400; i += 1) ({ ids } = await frontend.push(1));
      assert.deepStrictEqual(ids, [2, 3]);
    });

    test('ids that are no numbers, and a session service that throws while it is put in order, change nothing', async () => {
      const frontend = await new Frontend(framework).start();
      for (const id of ['x', 'c', 'm']) {
        frontend.sessions.create(id, 'connector-1', new EventEmitter());
        frontend.sessions.bind(id, `of ${id}`, () => {});
      }
      const list = ['of x', 'of c', 'of m'];
      await frontend.push(1, list.slice());
      assert.deepStrictEqual((await frontend.push(1)).ids, ['x', 'c', 'm']);
      await frontend.push(2, list.slice());
      const { uidMap } = frontend.sessions.service || frontend.sessions;
      const sessions = uidMap['of x'];
      let isFirst = true;
      const get = () => {
        if (!isFirst) return sessions;
        isFirst = false;
        throw new Error('not now');
      };
      Object.defineProperty(uidMap, 'of x', { get, configurable: true });
      assert.deepStrictEqual((await frontend.push(2)).ids, ['x', 'c', 'm']);
      assert.ok(!isFirst);
    });

    test('a list that changes before each push is put in order too', async () => {
      const frontend = await new Frontend(framework).start();
      for (const uid of USERS) frontend.join(uid);
      const list = Array.from({ length: 10 }, (_, i) => USERS[9 - i]);
      await frontend.push(1, list);
      let number = 1;
      let ids;
      for (let i = 0; i < 400; i += 1) {
        const uid = USERS[10 + (i % 2)];
        const [removed, added] = i % 4 < 2 ? [[], [uid]] : [[uid], []];
        ({ ids } = await frontend.push(number + 1, null, number, removed, added));
        number += 1;
      }
      assert.deepStrictEqual(ids.slice(0, 10), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    });

    test('a getByUid of the app may answer in one array each time, and is called for pushes only', async () => {
      const frontend = await new Frontend(framework).start();
      const users = USERS.slice(0, 3);
      for (const uid of users) frontend.join(uid);
      const { getByUid } = frontend.sessions;
      const answer = [];
      let calls = 0;
      frontend.sessions.getByUid = function (uid) {
        calls += 1;
        answer.length = 0;
        answer.push(...getByUid.call(this, uid));
        return answer;
      };
      await frontend.push(1, users);
      assert.deepStrictEqual(await frontend.push(1), { ids: [1, 2, 3], failed: [] });
      assert.strictEqual(calls, 6);
    });

    test('an edited copy of pushMessage is called', async () => {
      const frontend = await new Frontend(framework).start();
      const remote = Object.getPrototypeOf(frontend.own);
      const { pushMessage } = remote;
      const source = pushMessage.toString().replace(/if ?\(!sessions\)/, "if(uids[i] === 'u2')");
      const names = 'logger, utils';
      const method = framework === 'pomelo' ? `pushMessage: ${source}` : source;
      const logger = { debug() {}, error() {} };
      const utils = { invokeCallback: (cb, ...args) => cb(...args) };
      remote.pushMessage = new Function(names, `return ({${method}}).pushMessage`)(logger, utils);
      try {
        for (const uid of ['u1', 'u2', 'u3']) frontend.join(uid);
        const pushed = await frontend.push(1, ['u1', 'u2', 'u3']);
        assert.deepStrictEqual(pushed, { ids: [1, 3], failed: ['u2'] });
      } finally {
        remote.pushMessage = pushMessage;
      }
    });

    test('methods that the app has replaced are called: getByUid, of the component or the service', async () => {
      for (const owner of ['sessions', 'service']) {
        const frontend = await new Frontend(framework).start();
        for (const uid of USERS) frontend.join(uid);
        await frontend.push(1, USERS.slice());
        const object = (owner === 'service' && frontend.sessions.service) || frontend.sessions;
        const { getByUid } = object;
        object.getByUid = function (uid) {
          return uid === 'u3' ? undefined : getByUid.call(this, uid);
        };
        const { ids, failed } = await frontend.push(1);
        assert.deepStrictEqual([ids.includes(4), ids.length, failed], [false, 11, ['u3']]);
      }
    });

    test('methods that the app has replaced are called: pushMessage, of the remote or its class', async () => {
      for (const isOwn of [true, false]) {
        const frontend = await new Frontend(framework).start();
        const object = isOwn ? frontend.own : Object.getPrototypeOf(frontend.own);
        const { pushMessage } = object;
        const seen = [];
        object.pushMessage = function (route, msg, uids, ...rest) {
          seen.push(uids);
          return pushMessage.call(this, route, msg, uids.slice(1), ...rest);
        };
        try {
          frontend.join('u1');
          frontend.join('u2');
          const { ids, failed } = await frontend.push(1, ['u1', 'u2', 'u3']);
          assert.deepStrictEqual([ids, failed, seen], [[2], ['u3'], [['u1', 'u2', 'u3']]]);
        } finally {
          if (isOwn) delete object.pushMessage;
          else object.pushMessage = pushMessage;
        }
      }
    });

    test('an error of the connector, and a message that is empty, are the answer', async () => {
      const frontend = await new Frontend(framework).start();
      frontend.join('u1');
      frontend.app.components['__connector__'].send = (...args) =>
        process.nextTick(args.at(-1), new Error('no coder'));
      await assert.rejects(frontend.push(1, ['u1']), /no coder/);
      const args = [frontend.token, 'pusher', 1, 'onChat', null, OPTS, 2, ['u1']];
      await assert.rejects(frontend.call(frontend.remote, 'push', ...args), /empty message/);
    });
  });
}
