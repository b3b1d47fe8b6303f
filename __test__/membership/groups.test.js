'use strict';

/**
 * Calls that change members one directly after the other (option `membership: 'session'`), which the store may execute together:
 * each has its own answer and error, and members and index are what the calls one by one leave.
 */

const assert = require('node:assert');
const { Members, SESSION } = require('../support/members');
const { ours, stores } = require('../support/rows');
const { started } = require('../support/service');

/** Names and server ids of which two pairs are one key, `P:a:b:c`. */
const CHANNELS = [
  ['a', 's1'],
  ['b', 's1'],
  ['a', 's2'],
  ['a:b', 'c'],
  ['a', 'b:c'],
];
const UIDS = ['u', 'v', '1:a'];

const any = (list) => list[Math.floor(Math.random() * list.length)];

/** Random calls `[method, name, uids, sid]` and what they answer, on a store with `sets`, which become what it has after them. */
function history(sets, length) {
  const set = (key) => sets.get(key) || sets.set(key, new Set()).get(key);
  const calls = Array.from({ length }, () => {
    const [name, sid] = any(CHANNELS);
    const uids = UIDS.filter(() => Math.random() < 0.5);
    const named = Math.random() < 0.2 ? [name, `${name}x`] : name;
    return [any(['add', 'add', 'leave']), named, uids.length > 0 ? uids : any(UIDS), sid];
  });
  const answers = calls.map(([method, named, uids, sid]) => {
    let changed = 0;
    for (const name of [named].flat()) {
      for (const uid of [uids].flat()) {
        const key = set(`P:${name}:${sid}`);
        const was = key.has(uid);
        const own = set(`P@members:{${sid}}:${uid}:${uid.length}`);
        const users = set(`P@members:{${sid}}`);
        if (method === 'add') {
          key.add(uid);
          own.add(name);
        } else {
          key.delete(uid);
          own.delete(name);
        }
        if (own.size > 0) users.add(uid);
        else users.delete(uid);
        changed += was === key.has(uid) ? 0 : 1;
      }
    }
    return changed;
  });
  return { calls, answers };
}

stores('calls that change members together', (ctx) => {
  const send = (service, calls) =>
    Promise.allSettled(calls.map(([method, ...args]) => service.promises[method](...args)));

  ours('each is told what it has changed, whatever is before and after it', async () => {
    const service = await started(ctx.store, SESSION);
    const sets = new Map();
    for (let run = 0; run < 40; run += 1) {
      const { calls, answers } = history(sets, 60);
      const got = await send(service, calls);
      const shown = JSON.stringify(calls);
      assert.deepStrictEqual(
        got.map(({ value, reason }) => reason ?? value),
        answers,
        shown,
      );
      if (ctx.redis) {
        for (const [key, members] of sets) {
          const read = [/}:.*:\d+$/.test(key) ? 'hkeys' : 'smembers', key];
          const stored = await ctx.redis.run(0, ...read);
          assert.deepStrictEqual(stored.map(String).sort(), [...members].sort(), `${key} ${shown}`);
        }
      }
    }
  });

  ours(
    'together they leave what one after the other leaves, also while members are kept',
    async () => {
      const SIDS = ['s1', 's2'];
      const FIELDS = ['a', 'b', 'a:x', '#1'];
      const USERS = ['u', 'v', '', 'ü1'];
      const some = (list) => list.filter(() => Math.random() < 0.5);
      const open = async (prefix) => new Members(await started(ctx.store, { ...SESSION, prefix }));
      const [together, single] = [await open('P'), await open('Q')];
      const both = [together, single];
      const lists = async (one) => {
        const pairs = USERS.flatMap((uid) => SIDS.map((sid) => [uid, sid]));
        const reads = FIELDS.flatMap((name) =>
          SIDS.map(async (sid) => (await one.call('getMembersBySid', name, sid)).sort()),
        );
        return {
          kept: await Promise.all(SIDS.map((sid) => one.uids(sid, 'goneUids'))),
          channels: await Promise.all(pairs.map((pair) => one.channels(...pair))),
          indexed: await Promise.all(SIDS.map((sid) => one.uids(sid))),
          members: await Promise.all(reads),
        };
      };
      for (const one of both) for (const sid of SIDS) await one.claim(sid, 'e1');
      for (let run = 0; run < 30; run += 1) {
        const before = [];
        for (const sid of SIDS) {
          for (const uid of USERS) {
            before.push(['call', 'add', some(FIELDS), uid, sid], ['end', sid, 'e1', uid]);
            if (Math.random() < 0.3) {
              before.push(['call', 'destroyChannel', any(FIELDS), { everywhere: true }]);
            }
            before.push(['call', 'add', some(FIELDS), uid, sid]);
          }
        }
        const steps = before.filter(([, method, names]) => method !== 'add' || names.length > 0);
        for (const one of both) for (const [method, ...args] of steps) await one[method](...args);
        const methods = any([['leave'], ['add', 'leave']]);
        const calls = Array.from({ length: 12 }, () => {
          const uids = some(USERS);
          return [any(methods), any(FIELDS), uids.length > 0 ? uids : any(USERS), any(SIDS)];
        });
        const shown = JSON.stringify({ steps, calls });
        const got = await send(together.service, calls);
        const expected = [];
        for (const call of calls) expected.push(...(await send(single.service, [call])));
        assert.deepStrictEqual(got, expected, shown);
        assert.deepStrictEqual(await lists(together), await lists(single), shown);
        const back = async (one) => {
          const counts = [];
          for (const sid of SIDS) {
            for (const uid of USERS) counts.push(await one.putBack(sid, 'e1', uid));
          }
          return { counts, ...(await lists(one)) };
        };
        assert.deepStrictEqual(await back(together), await back(single), shown);
        for (const one of both) for (const uid of USERS) await one.leaveAll(uid, null);
      }
    },
  );

  ours.redis('one that is refused does not keep the others', async () => {
    const service = await started(ctx.store, SESSION);
    await ctx.redis.run(0, 'set', 'P:bad:s1', 'no set');
    await ctx.redis.run(0, 'set', 'P@members:{s3}', 'no index');
    const got = await send(service, [
      ['add', 'a', 'u', 's1'],
      ['add', 'bad', 'u', 's1'],
      ['add', ['b', 'bad', 'c'], ['u', 'v'], 's1'],
      ['add', 'a', 'u', 's3'],
      ['leave', 'bad', 'u', 's1'],
      ['leave', 'a', 'u', 's1'],
      ['add', 'a', 'w', 's1'],
    ]);
    const told = got.map(({ value, reason }) => value ?? reason.message.replace(/ .*/, ''));
    assert.deepStrictEqual(told, [1, 'WRONGTYPE', 'WRONGTYPE', 'WRONGTYPE', 'WRONGTYPE', 1, 1]);
    for (const { reason } of got) {
      assert.ok(!reason || reason.code === 'ERR_GLOBAL_CHANNEL_STORE', String(reason));
    }
    const lists = ['a', 'b', 'c'].map((name) => service.promises.getMembersBySid(name, 's1'));
    const sorted = (await Promise.all(lists)).map((list) => [...list].sort());
    assert.deepStrictEqual(sorted, [['w'], ['u', 'v'], ['u', 'v']]);
    assert.deepStrictEqual(
      await service.promises.getMembersBySid('a', 's3'),
      [],
      'no member without an entry',
    );
  });

  ours.redis('a user whose entries are refused is no member, and the others are', async () => {
    const service = await started(ctx.store, SESSION);
    await ctx.redis.run(0, 'set', 'P@members:{s1}:u:1', 'no hash');
    await service.promises.addMany('c', [{ uid: 'v', sid: 's1' }]);
    const got = await send(service, [
      ['add', ['a', 'b', 'c'], 'u', 's1'],
      ['add', ['a', 'b', 'c'], 'v', 's1'],
      ['add', 'a', ['u', 'w'], 's1'],
      ['leave', ['a', 'b'], 'u', 's1'],
      ['leave', ['b', 'c'], 'v', 's1'],
    ]);
    const told = got.map(({ value, reason }) => value ?? reason.message.replace(/ .*/, ''));
    assert.deepStrictEqual(told, ['WRONGTYPE', 2, 'WRONGTYPE', 'WRONGTYPE', 2]);
    const lists = ['a', 'b', 'c'].map((name) => service.promises.getMembersBySid(name, 's1'));
    const sorted = (await Promise.all(lists)).map((list) => [...list].sort());
    assert.deepStrictEqual(sorted, [['v', 'w'], [], []]);
    const entries = ['v', 'w'].map((uid) => service.promises.getChannelsByUid(uid, 's1'));
    assert.deepStrictEqual(await Promise.all(entries), [['a'], ['a']]);
  });

  ours.redis('a channel that is refused is no entry of a user who joins several', async () => {
    const service = await started(ctx.store, SESSION);
    await ctx.redis.run(0, 'set', 'P:bad:s1', 'no set');
    const adds = ['a', 'bad', 'b'].map((name) => ['add', name, 'u', 's1']);
    const got = await send(service, [
      ...adds,
      ['add', 'bad', 'v', 's1'],
      ['add', 'bad', 'v', 's1'],
    ]);
    const told = got.map(({ value, reason }) => value ?? reason.code);
    const no = 'ERR_GLOBAL_CHANNEL_STORE';
    assert.deepStrictEqual(told, [1, no, 1, no, no]);
    const fields = await ctx.redis.run(0, 'hkeys', 'P@members:{s1}:u:1');
    assert.deepStrictEqual(fields.map(String).sort(), ['a', 'b']);
    const users = await ctx.redis.run(0, 'smembers', 'P@members:{s1}');
    assert.deepStrictEqual(users.map(String), ['u']);
  });

  ours.redis('one about a key that the user may not use does not keep the others', async () => {
    const USER = { username: 'gc', password: 'p' };
    const keys = ['~P:a:*', '~P:b:*', '~P@lease*', '~P@sids', '~P@members:{s1}*', '~P@gone:{s1}'];
    const rules = ['reset', 'on', `>${USER.password}`, ...keys, 'resetchannels', '+@all'];
    await ctx.redis.run(0, 'acl', 'setuser', USER.username, ...rules);
    const service = await started(ctx.store, { ...SESSION, ...USER });
    const got = await send(service, [
      ['add', 'a', 'u', 's1'],
      ['add', 'other', 'u', 's1'],
      ['add', 'b', ['u', 'v'], 's1'],
      ['leave', 'other', 'u', 's1'],
      ['add', 'a', 'u', 's2'],
      ['leave', 'a', 'u', 's1'],
      ['add', 'b', 'w', 's1'],
    ]);
    const told = got.map(({ value, reason }) => value ?? reason.message.replace(/ .*/, ''));
    const no = /^(NOPERM|ERR)$/;
    const expected = [1, no, 2, no, no, 1, 1];
    expected.forEach((each, i) => {
      if (each === no) assert.match(String(told[i]), no, `${i}`);
      else assert.strictEqual(told[i], each, `${i}`);
    });
    const list = await service.promises.getMembersBySid('b', 's1');
    assert.deepStrictEqual([...list].sort(), ['u', 'v', 'w']);
    assert.deepStrictEqual(await service.promises.getChannelsByUid('u', 's1'), ['b']);
  });

  for (const events of [false, true]) {
    const title = events ? ', with events too' : '';
    ours.redis(`what a refused step of a purge has removed is kept${title}`, async () => {
      const USER = { username: 'gc', password: 'p' };
      const keys = ['~P:a:*', '~P:b:*', '~P@*'];
      const rules = ['reset', 'on', `>${USER.password}`, ...keys, 'allchannels', '+@all'];
      await ctx.redis.run(0, 'acl', 'setuser', USER.username, ...rules);
      const all = new Members(await started(ctx.store, { ...SESSION, events }));
      const limited = new Members(await started(ctx.store, { ...SESSION, ...USER, events }));
      await all.claim('s1', 'e1');
      for (const name of ['a', 'other', 'b']) await all.call('add', name, 'u', 's1');
      await assert.rejects(limited.end('s1', 'e1', 'u'), { code: 'ERR_GLOBAL_CHANNEL_STORE' });
      // Tried again, as a frontend does with the next renewal.
      await all.end('s1', 'e1', 'u');
      assert.deepStrictEqual(await all.channels('u', 's1'), []);
      assert.strictEqual(await all.putBack('s1', 'e1', 'u'), 3);
      assert.deepStrictEqual(await all.channels('u', 's1'), ['a', 'b', 'other']);
    });
  }

  ours('what is between them is answered in call order', async () => {
    const service = await started(ctx.store, SESSION);
    for (let run = 0; run < 10; run += 1) {
      const got = await send(service, [
        ['add', 'a', 'u', 's1'],
        ['add', 'b', 'u', 's1'],
        ['getMembersBySid', 'a', 's1'],
        ['leave', 'a', 'u', 's1'],
        ['add', 'c', 'u', 's1'],
        ['getMembersBySid', 'a', 's1'],
        ['getChannelsByUid', 'u', 's1'],
        ['leave', 'b', 'u', 's1'],
        ['leave', 'c', 'u', 's1'],
        ['getChannelsByUid', 'u', 's1'],
      ]);
      const told = got.map(({ value }) => (Array.isArray(value) ? [...value].sort() : value));
      assert.deepStrictEqual(told, [1, 1, ['u'], 1, 1, [], ['b', 'c'], 1, 1, []]);
    }
  });

  ours.redis(
    'another service sees them, and so does one that has the lists in memory',
    async () => {
      const one = await started(ctx.store, SESSION);
      const other = await started(ctx.store, { prefix: 'P' });
      const names = ['a', 'b', 'c', 'd'];
      const read = (service) =>
        Promise.all(names.map((name) => service.promises.getMembersBySid(name, 's1')));
      for (const uid of ['u', 'v', 'w', 'x', 'y']) {
        await send(
          one,
          names.map((name) => ['add', name, uid, 's1']),
        );
        for (const service of [one, other, one, other, one, other]) {
          const lists = await read(service);
          assert.ok(
            lists.every((list) => list.includes(uid)),
            uid,
          );
        }
      }
      assert.ok(other.stats().cache.hits > 0);
      await send(
        one,
        names.map((name) => ['leave', name, 'u', 's1']),
      );
      for (const service of [other, one]) {
        assert.ok((await read(service)).every((list) => !list.includes('u')));
      }
    },
  );

  ours.redis('they take a script for many of them', async () => {
    const service = await started(ctx.store, SESSION);
    await ctx.redis.run(0, 'config', 'resetstat');
    const calls = Array.from({ length: 1000 }, (_, i) => [
      'add',
      `n${i % 7}`,
      `u${i}`,
      `s${i % 3}`,
    ]);
    await send(service, calls);
    await send(
      service,
      calls.map(([, ...args]) => ['leave', ...args]),
    );
    const stats = (await ctx.redis.run(0, 'info', 'commandstats')).toString();
    const [, scripts] = /cmdstat_eval:calls=(\d+)/.exec(stats);
    assert.ok(Number(scripts) < 100, `${scripts} scripts`);
    assert.deepStrictEqual(await ctx.store.keys(), []);
  });
});
