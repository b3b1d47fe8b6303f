'use strict';

/**
 * Limits of keys and uids. LMDB limits its keys, so an embedded store takes a key (prefix, name and sid, with two colons) of
 * up to 511 bytes and a uid of up to 503; Redis takes strings of up to 512 MB.
 */

const assert = require('node:assert');
const fs = require('node:fs');
const os = require('node:os');
const { createApp } = require('../support/app');
const { invoke, call, ok, eachMethod, eachOf, failed, methodsWith } = require('../support/call');
const { started } = require('../support/service');
const { stores, same, ours } = require('../support/rows');

const CODE = 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT';
const PREFIX = 'POMELO:CHANNEL';
const MEMBER = 503;
/** So long may a name be beside a sid of two bytes. */
const NAME = 511 - `${PREFIX}::s1`.length;

const long = (bytes) => 'x'.repeat(bytes);
/** As many bytes, in half as many characters. */
const umlauts = (bytes) => 'ü'.repeat(Math.floor(bytes / 2)) + long(bytes % 2);

/** The arguments of each method, for a channel of this name and a uid. */
const argumentsOf = (name, uid = 'u') => methodsWith({ name, uid });

/** How much memory is available, in bytes. */
function memory() {
  if (process.platform !== 'linux') return os.freemem();
  return Number(/^MemAvailable: +(\d+) kB/m.exec(fs.readFileSync('/proc/meminfo'))[1]) * 1024;
}

stores('C sizes', (ctx) => {
  const members = async (service, name = 'n', sid = 's1') =>
    (await ok(service, 'getMembersBySid', name, sid)).sort();

  /** What `method` answers, which has to be a refusal at once, in the form of this method. */
  async function refused(service, method, args) {
    const { err, argc, sync, value } = await call(service, method, ...args);
    assert.deepStrictEqual([err && err.code, sync], [CODE, true], method);
    assert.deepStrictEqual([argc, value], failed(method), method);
    return err.message;
  }

  for (const [title, fill] of Object.entries({ ASCII: long, 'of two bytes each': umlauts })) {
    ours.embedded(`C40 the longest name and the longest uid, characters ${title}`, async () => {
      const app = createApp();
      const service = await started(ctx.store, {}, app);
      const [name, uid] = [fill(NAME), fill(MEMBER)];
      for (const uids of [uid, [uid, 'v'], Buffer.from(uid)])
        await ok(service, 'add', name, uids, 's1');
      const both = [uid, 'v'].sort();
      assert.deepStrictEqual(await members(service, name), both);
      const joined = await ok(service, 'getMembersByChannelName', 'connector', name);
      assert.deepStrictEqual(joined.sort(), both);
      await ok(service, 'pushMessage', 'connector', 'onChat', {}, name, {});
      assert.deepStrictEqual(app.rpcCalls[0].msg.args[2].sort(), both);
      await ok(service, 'leave', name, uid, 's1');
      assert.deepStrictEqual(await members(service, name), ['v']);
      await ok(service, 'destroyChannel', name);
      assert.deepStrictEqual(await members(service, name), []);
    });
  }

  for (const [title, fill] of Object.entries({ ASCII: long, 'of two bytes each': umlauts })) {
    ours.embedded(`C41 a name one byte longer, characters ${title}: refused at once`, async () => {
      const app = createApp();
      const service = await started(ctx.store, {}, app);
      await ok(service, 'add', 'n', 'u', 's1');
      const before = service.stats().commands;
      const words = (given) =>
        `${given}: the key has 512 bytes (prefix 14, name ${NAME + 1}, sid 2, and colons); accepted are at most 511`;
      const messages = await eachMethod((method) =>
        refused(service, method, argumentsOf(fill(NAME + 1))[method]),
      );
      const both = words('arguments name and sid');
      const alone = words('argument name');
      const hasSid = ['member', 'many', 'frontend', 'memberPage'];
      const expected = eachOf((_, { scope }) => (hasSid.includes(scope) ? both : alone));
      assert.deepStrictEqual(messages, expected);
      assert.deepStrictEqual(service.stats().commands, before);
      assert.deepStrictEqual(app.rpcCalls, []);
      assert.deepStrictEqual(await members(service), ['u']);
    });
  }

  ours.embedded('C41 prefix, name and sid count together', async () => {
    const service = await started(ctx.store, { prefix: long(300) });
    await ok(service, 'add', long(100), 'u', long(109));
    for (const [name, sid] of [
      [long(101), long(109)],
      [long(100), long(110)],
      ['', long(210)],
      [long(210), ''],
    ]) {
      const words = `prefix 300, name ${name.length}, sid ${sid.length}, and colons`;
      assert.ok((await refused(service, 'add', [name, 'u', sid])).includes(words));
      assert.ok((await refused(service, 'getMembersBySid', [name, sid])).includes(words));
    }
    assert.deepStrictEqual(await members(service, long(100), long(109)), ['u']);
  });

  ours.embedded(
    'C41 one frontend whose id is too long: nothing is read, pushed or destroyed',
    async () => {
      const app = createApp();
      app.addServer({ id: long(400), serverType: 'connector', frontend: 'true' });
      const service = await started(ctx.store, {}, app);
      const name = long(100);
      await ok(service, 'add', name, 'u', 's1');
      for (const method of ['getMembersByChannelName', 'pushMessage', 'destroyChannel']) {
        const message = await refused(service, method, argumentsOf(name)[method]);
        assert.match(message, /^argument name: .*name 100, sid 400,.* at most 511$/, method);
      }
      assert.deepStrictEqual(app.rpcCalls, []);
      assert.deepStrictEqual(await members(service, name), ['u']);
      // With room for that id everybody is served.
      await ok(service, 'add', 'n', 'u', 's1');
      assert.deepStrictEqual(await ok(service, 'getMembersByChannelName', 'connector', 'n'), ['u']);
    },
  );

  ours.embedded(
    'C42 a uid one byte longer: refused at once, by its place in the array',
    async () => {
      const service = await started(ctx.store);
      const uid = long(MEMBER + 1);
      for (const [given, argument] of [
        [uid, 'uid'],
        [umlauts(MEMBER + 1), 'uid'],
        [Buffer.from(uid), 'uid'],
        [[uid], 'uid[0]'],
        [['a', 'b', 7, uid, uid], 'uid[3]'],
        [['a', Buffer.from(uid)], 'uid[1]'],
      ]) {
        for (const method of ['add', 'leave']) {
          const message = await refused(service, method, ['n', given, 's1']);
          assert.strictEqual(
            message,
            `argument ${argument} has ${MEMBER + 1} bytes; accepted are at most ${MEMBER}`,
          );
        }
      }
      assert.deepStrictEqual(await members(service), []);
    },
  );

  ours.embedded('C43 refusals between calls of one tick leave these as they are', async () => {
    const service = await started(ctx.store);
    const answers = [];
    const note = (record) => record.done.then(({ err }) => answers.push(err ? err.code : null));
    await Promise.all(
      [
        ['add', 'n', 'a', 's1'],
        ['add', long(NAME + 1), 'b', 's1'],
        ['add', 'n', long(MEMBER + 1), 's1'],
        ['add', 'n', ['c', long(MEMBER + 1)], 's1'],
        ['destroyChannel', long(NAME + 1)],
        ['add', 'n', ['d', 'e'], 's1'],
        ['getMembersByChannelName', 'connector', long(NAME + 1)],
        ['add', 'm', 'f', 's1'],
      ].map((args) => note(invoke(service, ...args))),
    );
    assert.deepStrictEqual(answers.sort(), [...Array(5).fill(CODE), null, null, null]);
    assert.deepStrictEqual(await members(service), ['a', 'd', 'e']);
    assert.deepStrictEqual(await members(service, 'm'), ['f']);
  });

  ours.embedded('C43 a getter that makes calls, in an array that is refused', async () => {
    const service = await started(ctx.store);
    const uids = ['a', 'b', long(MEMBER + 1)];
    let inner;
    Object.defineProperty(uids, 1, {
      get: () => {
        inner = inner || invoke(service, 'add', 'm', 'inner', 's1');
        return 'b';
      },
    });
    assert.match(await refused(service, 'add', ['n', uids, 's1']), /^argument uid\[2\] /);
    assert.ifError((await inner.done).err);
    await ok(service, 'add', 'n', 'after', 's1');
    assert.deepStrictEqual(await members(service), ['after']);
    assert.deepStrictEqual(await members(service, 'm'), ['inner']);
  });

  ours.embedded('C43 a wrong type is reported before a wrong length', async () => {
    const service = await started(ctx.store);
    assert.match(await refused(service, 'add', [long(600), 'u', null]), /^argument sid is null/);
    assert.match(await refused(service, 'add', [undefined, long(600), 's1']), /^argument name is/);
    assert.match(
      await refused(service, 'add', [long(600), {}, 's1']),
      /^argument uid is an object/,
    );
    // Also where there is nothing to add.
    assert.match(await refused(service, 'add', [long(600), [], 's1']), /^arguments name and sid/);
  });

  // The text takes half of its bytes in V8, flat and as it was made.
  const skip = memory() < 2 ** 31 ? { skip: 'less than 2 GiB of memory are available' } : {};
  ours(
    'C44 values longer than any string of Redis are refused at once, without effect on other calls',
    async () => {
      const app = createApp();
      const service = await started(ctx.store, {}, app);
      const limits = ctx.redis ? { uid: 2 ** 29, name: 2 ** 29 } : { uid: MEMBER, name: 2 ** 29 };
      const text = 'ü'.repeat(2 ** 28 + 1);
      const bytes = Buffer.alloc(2 ** 29 + 2);
      const words = (argument, most) =>
        `argument ${argument} has ${2 ** 29 + 2} bytes; accepted are at most ${most}`;
      const before = invoke(service, 'add', 'n', 'before', 's1');
      for (const [given, argument] of [
        [text, 'uid'],
        [bytes, 'uid'],
        [[text], 'uid[0]'],
        [['a', bytes, 'b'], 'uid[1]'],
        [[...Array(300).fill('a'), text], 'uid[300]'],
      ]) {
        for (const method of ['add', 'leave']) {
          const message = await refused(service, method, ['n', given, 's1']);
          assert.strictEqual(message, words(argument, limits.uid));
        }
      }
      for (const [method, args] of Object.entries(argumentsOf(text))) {
        assert.strictEqual(await refused(service, method, args), words('name', limits.name));
      }
      const message = await refused(service, 'getMembersBySid', ['n', text]);
      assert.strictEqual(message, words('sid', limits.name));
      await ok(service, 'add', 'n', ['after', 'it'], 's1');
      assert.ifError((await before.done).err);
      assert.deepStrictEqual(await members(service), ['after', 'before', 'it']);
      assert.deepStrictEqual(app.rpcCalls, []);
    },
    skip,
  );

  ours.redis(
    'C44 a uid that no string of JSON can hold is an error of the read, and nothing beside it suffers',
    async () => {
      const service = await started(ctx.store, { commandTimeout: 60000 });
      // Each of these bytes is six in JSON.
      await ok(service, 'add', 'n', Buffer.alloc(90e6, 1), 's1');
      const { err } = await call(service, 'getMembersBySid', 'n', 's1');
      assert.strictEqual(err && err.code, 'ERR_GLOBAL_CHANNEL_STORE');
      assert.match(err.message, /^the list has a member of 90000000 bytes, .*JavaScript/);
      await ok(service, 'add', 'm', 'u', 's1');
      assert.deepStrictEqual(await members(service, 'm'), ['u']);
    },
    skip,
  );

  ours.redis(
    'C44 uids of more than 1 GiB in all are refused',
    async () => {
      const service = await started(ctx.store);
      const uids = Array(1025).fill(Buffer.alloc(2 ** 20));
      const message = await refused(service, 'add', ['n', uids, 's1']);
      assert.match(message, /^argument uid has more than 1073741824 bytes in all; /);
    },
    skip,
  );

  same.redis('C41 longer names and uids are no matter to Redis', async () => {
    const service = await started(ctx.store);
    const [name, uid] = [long(NAME + 1), long(MEMBER + 1)];
    await eachMethod((method) => ok(service, method, ...argumentsOf(name, uid)[method]));
    await ok(service, 'add', name, uid, 's1');
    assert.deepStrictEqual(await ctx.store.keys(), [`${PREFIX}:${name}:s1`]);
    assert.deepStrictEqual(await ok(service, 'getMembersBySid', name, 's1'), [uid]);
  });
});
