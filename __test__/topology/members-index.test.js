'use strict';

/**
 * The index of members in a Redis Cluster, where it and the channels are in different slots: what holds on every store
 * (support/members.js), and while slots move.
 */

const assert = require('node:assert');
const { it } = require('node:test');
const { createApp } = require('../support/app');
const { Members, SESSION } = require('../support/members');
const CHECKS = require('../membership/index-checks');
const { pause, until } = require('../support/until');
const { onCluster } = require('./on-cluster');

onCluster('index of members in a Redis Cluster', 120000, (ctx) => {
  const open = async (opts) =>
    new Members(await ctx.connected({ ...SESSION, cache: false, ...opts }));

  for (const [title, check] of Object.entries(CHECKS)) {
    it(title, () => check({ open, store: ctx.cluster }));
  }

  it('the names of channels are told without hash tags', async () => {
    const one = await open({ hashTag: true });
    await one.call('add', ['a', 'b'], 'u', 's1');
    assert.deepStrictEqual(await one.channels('u', 's1'), ['a', 'b']);
    assert.deepStrictEqual(await one.leaveAll('u', null), ['a', 'b']);
    assert.deepStrictEqual(await ctx.cluster.keys(), []);
  });

  it('calls on all frontends take server ids that are no hash tag, under which only others have added members', async () => {
    for (const sid of ['', '}s']) {
      const key = `P:room:${sid}`;
      await (await ctx.cluster.owner(key)).run(0, 'sadd', key, 'u', 'v');
    }
    const one = await open();
    await one.call('add', 'room', 'u', 's1');
    assert.strictEqual(await one.service.promises.leave('room', 'u', null), 3);
    assert.deepStrictEqual(await one.channels('v', null), []);
    assert.deepStrictEqual(await one.leaveAll('v', null), []);
    await one.call('destroyChannel', 'room', { everywhere: true });
    assert.deepStrictEqual(await ctx.cluster.keys(), []);
  });

  it('calls on all frontends are answered while no frontend is known', async () => {
    const app = createApp({ servers: [] });
    const one = new Members(await ctx.connected({ ...SESSION, cache: false }, app));
    assert.deepStrictEqual(await one.channels('u', null), []);
    assert.strictEqual(await one.service.promises.leave(['a', 'b'], 'u', null), 0);
    assert.deepStrictEqual(await one.leaveAll('u', null), []);
  });

  it('a list of channels makes no frontend known', async () => {
    const one = await open();
    await one.call('getChannels', {});
    assert.strictEqual(await one.service.promises.leave('room', 'u', null), 0);
  });

  it('a frontend that takes its lease while a step of a purge removes members has them', async () => {
    const [sweeper, frontend] = [await open(), await open()];
    const held = await ctx.cluster.owner('P@lease:{s1}');
    // Channels on another node, which is to be slow.
    const names = [];
    let slow;
    for (let i = 0; names.length < 20; i += 1) {
      const owner = await ctx.cluster.owner(`P:c${i}:s1`);
      slow ||= owner === held ? undefined : owner;
      if (slow && owner === slow) names.push(`c${i}`);
    }
    await frontend.call('add', names, 'u', 's1');
    for (const keep of [60000, 0]) {
      await slow.run(0, 'client', 'pause', 20000, 'write');
      const step = sweeper.purgeStep('s1', '', 500, keep, ['u']);
      if (keep > 0) {
        const isKept = () => held.run(0, 'exists', 'P@gone:{s1}');
        await until(isKept, 'the members to be kept');
      }
      const isWaiting = async () =>
        /blocked_clients:[1-9]/.test(await slow.run(0, 'info', 'clients'));
      await until(isWaiting, 'the removal to wait');
      await frontend.claim('s1', 'e1');
      await slow.run(0, 'client', 'unpause');
      assert.strictEqual((await step).state, 'lost');
      assert.deepStrictEqual(await frontend.channels('u', 's1'), [...names].sort());
      for (const name of names) {
        assert.deepStrictEqual(await frontend.call('getMembersBySid', name, 's1'), ['u'], name);
      }
      await frontend.release('s1', 'e1');
    }
  });

  /** A channel whose key for s1 is at another node than this one, and that node. */
  async function channelAwayFrom(node) {
    for (let i = 0; ; i += 1) {
      const owner = await ctx.cluster.owner(`P:c${i}:s1`);
      if (owner !== node) return [`c${i}`, owner];
    }
  }

  it('who leaves while a step of a purge has removed him stays out when the frontend is back', async () => {
    const [sweeper, frontend, backend] = [await open(), await open(), await open()];
    const held = await ctx.cluster.owner('P@lease:{s1}');
    const [name, slow] = await channelAwayFrom(held);
    await frontend.call('add', name, ['left', 'stays'], 's1');
    const isWaiting = (server, count) => async () => {
      const [, blocked] = /blocked_clients:(\d+)/.exec(await server.run(0, 'info', 'clients'));
      return Number(blocked) >= count;
    };
    await slow.run(0, 'client', 'pause', 20000, 'write');
    const step = sweeper.purgeStep('s1', '', 500, 60000, ['left', 'stays']);
    await until(isWaiting(slow, 1), 'the removal to wait');
    await frontend.claim('s1', 'e1');
    // The removal is done, and the second look at the lease waits; then the leave, for which the index waits.
    ctx.cluster.pause(held);
    await slow.run(0, 'client', 'unpause');
    const isRemoved = async () => (await slow.run(0, 'exists', `P:${name}:s1`)) === 0;
    await until(isRemoved, 'the removal');
    await pause(150);
    const leaving = backend.call('leave', name, 'left', 's1');
    await pause(150);
    ctx.cluster.resume(held);
    assert.strictEqual((await step).state, 'lost');
    await leaving;
    const now = () => frontend.call('getMembersBySid', name, 's1');
    await until(async () => String(await now()) === 'stays', 'the other one to be back').catch(
      () => {},
    );
    assert.deepStrictEqual(await now(), ['stays']);
    assert.deepStrictEqual(await frontend.channels('left', 's1'), []);
    assert.deepStrictEqual(await frontend.channels('stays', 's1'), [name]);
    // A process of this id that is cut off later has nothing of it to put back.
    assert.deepStrictEqual(await frontend.uids('s1', 'goneUids'), []);
  });

  it('who is removed before a step of a purge keeps him is not kept', async () => {
    const [sweeper, frontend, other] = [
      await open(),
      await open(),
      await open({ membership: 'persistent' }),
    ];
    const held = await ctx.cluster.owner('P@lease:{s1}');
    const [name, slow] = await channelAwayFrom(held);
    const hasReadIndex = async () =>
      /cmdstat_hkeys:calls=[2-9]/.test(await held.run(0, 'info', 'commandstats'));
    const isWaiting = async () =>
      /blocked_clients:[1-9]/.test(await held.run(0, 'info', 'clients'));
    for (const events of [false, true]) {
      const one = events ? await open({ events }) : sweeper;
      await frontend.call('add', name, ['left', 'stays'], 's1');
      await held.run(0, 'config', 'resetstat');
      ctx.cluster.pause(slow);
      const step = one.purgeStep('s1', '', 500, 60000, ['left', 'stays']);
      await until(hasReadIndex, 'the read of the index');
      await held.run(0, 'client', 'pause', 20000, 'write');
      ctx.cluster.resume(slow);
      await until(isWaiting, 'what keeps the members to wait');
      await other.call('leave', name, 'left', 's1');
      await held.run(0, 'client', 'unpause');
      assert.deepStrictEqual(await step, { state: 'free', count: 1, left: 0 });
      assert.deepStrictEqual(await frontend.uids('s1', 'goneUids'), ['stays']);
      await frontend.claim('s1', 'e1');
      assert.strictEqual(await frontend.putBack('s1', 'e1', 'left'), 0);
      assert.strictEqual(await frontend.putBack('s1', 'e1', 'stays'), 1);
      assert.deepStrictEqual(await frontend.call('getMembersBySid', name, 's1'), ['stays']);
      await frontend.release('s1', 'e1');
    }
  });

  for (const [hashTag, name] of [
    [false, 'a:}b'],
    [false, ':}'],
    [true, 'a:'],
    [true, 'a:}b:'],
  ]) {
    const title = hashTag ? ' with option hashTag' : '';
    it(`channel ${name}${title} is removed while members are kept`, async () => {
      const [one, frontend] = [await open({ hashTag }), await open({ hashTag })];
      const key = hashTag ? `P:{${name}}:s1` : `P:${name}:s1`;
      await frontend.claim('s1', 'e1');
      const removals = [
        () => one.call('destroyChannel', name),
        () => one.call('destroyChannel', name, { everywhere: true }),
        () => one.call('clean'),
        () => open({ hashTag, cleanOnStartUp: true }),
      ];
      for (const remove of removals) {
        await frontend.call('add', name, ['gone', 'member'], 's1');
        assert.strictEqual(await frontend.end('s1', 'e1', 'gone'), 1);
        await remove();
        assert.strictEqual(await frontend.putBack('s1', 'e1', 'gone'), 0);
        assert.ok(!(await ctx.cluster.keys()).includes(key), String(remove));
      }
    });
  }

  it('clean fails where the server refuses to remove what is kept', async () => {
    const USER = { username: 'gc', password: 'p' };
    const keys = ['~P:*', '~P@sids', '~P@lease*', '~P@members*'];
    const rules = ['reset', 'on', `>${USER.password}`, ...keys, 'allchannels', '+@all'];
    await ctx.cluster.all('acl', 'setuser', USER.username, ...rules);
    try {
      const [limited, frontend] = [await open(USER), await open()];
      await frontend.claim('s1', 'e1');
      await frontend.call('add', 'a', 'u', 's1');
      assert.strictEqual(await frontend.end('s1', 'e1', 'u'), 1);
      await assert.rejects(limited.call('clean'), { code: 'ERR_GLOBAL_CHANNEL_STORE' });
      await frontend.call('clean');
      assert.strictEqual(await frontend.putBack('s1', 'e1', 'u'), 0);
    } finally {
      await ctx.cluster.all('acl', 'deluser', USER.username);
    }
  });

  /** A user who has all rights for the keys of this suite; `deny(node, right)` takes one away there. */
  async function limited(act) {
    const USER = { username: 'gc', password: 'p' };
    const rules = ['reset', 'on', `>${USER.password}`, 'allkeys', 'allchannels', '+@all'];
    const grant = () => ctx.cluster.all('acl', 'setuser', USER.username, ...rules);
    await grant();
    try {
      const deny = (node, right) => node.run(0, 'acl', 'setuser', USER.username, `-${right}`);
      await act({ one: await open(USER), deny, grant });
    } finally {
      await ctx.cluster.all('acl', 'deluser', USER.username);
    }
  }

  /** What a server says in a script of a command that the user may not run. */
  const REFUSED = /can't run|NOPERM/;

  const isWaitingAt = (node) => async () =>
    /blocked_clients:[1-9]/.test(await node.run(0, 'info', 'clients'));

  /** Starts what is to be refused with this message, and has its write wait at a node. `refused` is its end. */
  async function heldAt(node, start, message) {
    await node.run(0, 'client', 'pause', 20000, 'write');
    const refused = assert.rejects(start(), { code: 'ERR_GLOBAL_CHANNEL_STORE', message });
    await until(isWaitingAt(node), 'the change to wait');
    return { refused };
  }

  // The last round of each is refused: what it writes is missing, so the call must not say that it is done.
  for (const [method, right] of [
    ['add', 'hset'],
    ['leave', 'hdel'],
    ['leaveAll', 'hdel'],
  ]) {
    it(`${method} fails where the index refuses its last round, and is done when made again`, () =>
      limited(async ({ one, deny, grant }) => {
        const held = await ctx.cluster.owner('P@members:{s1}');
        const [name, slow] = await channelAwayFrom(held);
        if (method !== 'add') await one.call('add', name, 'u', 's1');
        const args = method === 'leaveAll' ? ['u', 's1'] : [name, 'u', 's1'];
        const { refused } = await heldAt(slow, () => one.call(method, ...args), REFUSED);
        await deny(held, right);
        await slow.run(0, 'client', 'unpause');
        await refused;
        await grant();
        await one.call(method, ...args);
        const expected = method === 'add' ? ['u'] : [];
        assert.deepStrictEqual(await one.call('getMembersBySid', name, 's1'), expected);
        if (method === 'add') {
          assert.deepStrictEqual(await one.leaveAll('u', 's1'), [name], 'it has its entry');
        }
      }));
  }

  it('an add fails where a node has no memory for its last round', async () => {
    const one = await open();
    const held = await ctx.cluster.owner('P@members:{s1}');
    const [name, slow] = await channelAwayFrom(held);
    const { refused } = await heldAt(slow, () => one.call('add', name, 'u', 's1'), /OOM/);
    await held.run(0, 'config', 'set', 'maxmemory', 1);
    try {
      await slow.run(0, 'client', 'unpause');
      await refused;
    } finally {
      await held.run(0, 'config', 'set', 'maxmemory', 0);
    }
    await one.call('add', name, 'u', 's1');
    assert.deepStrictEqual(await one.leaveAll('u', 's1'), [name]);
  });

  for (const method of ['leave', 'leaveAll']) {
    it(`${method} fails where the entry of a member who was added meanwhile is refused`, () =>
      limited(async ({ one, deny, grant }) => {
        const held = await ctx.cluster.owner('P@members:{s1}');
        const [name, slow] = await channelAwayFrom(held);
        await one.call('add', name, 'u', 's1');
        const args = method === 'leaveAll' ? ['u', 's1'] : [name, 'u', 's1'];
        const { refused } = await heldAt(slow, () => one.call(method, ...args), REFUSED);
        await deny(held, 'hset');
        // The removal of the entry waits; meanwhile the member comes back.
        await held.run(0, 'client', 'pause', 20000, 'write');
        await slow.run(0, 'client', 'unpause');
        const isRemoved = async () => (await slow.run(0, 'exists', `P:${name}:s1`)) === 0;
        await until(isRemoved, 'the removal');
        await slow.run(0, 'sadd', `P:${name}:s1`, 'u');
        await held.run(0, 'client', 'unpause');
        await refused;
        await grant();
        await one.call(method, ...args);
      }));
  }

  it('a step of a purge whose second look at the lease is refused leaves all members', () =>
    limited(async ({ one, deny, grant }) => {
      const held = await ctx.cluster.owner('P@members:{s1}');
      const [name, slow] = await channelAwayFrom(held);
      await one.call('add', name, 'u', 's1');
      await slow.run(0, 'client', 'pause', 20000, 'write');
      const step = one.purgeStep('s1', '', 500, 60000, ['u']);
      const refused = assert.rejects(step, { message: REFUSED });
      await until(isWaitingAt(slow), 'the removal to wait');
      await deny(held, 'get');
      await slow.run(0, 'client', 'unpause');
      await refused;
      await grant();
      assert.deepStrictEqual(await one.call('getMembersBySid', name, 's1'), ['u']);
      assert.deepStrictEqual(await one.channels('u', 's1'), [name]);
      assert.deepStrictEqual(await one.uids('s1', 'goneUids'), []);
      assert.deepStrictEqual(await one.purge('s1', ''), { state: 'free', count: 1 });
    }));

  it('a scan leaves an entry uncertain whose member is being removed', async () => {
    const one = await open();
    const held = await ctx.cluster.owner('P@members:{s1}');
    const fields = 'P@members:{s1}:u:1';
    await one.call('add', ['a', 'b'], 'u', 's1');
    // As a `leave` of another process does first, and a removal of the entry.
    await held.run(0, 'hset', fields, 'a', '?');
    await held.run(0, 'hdel', fields, 'b');
    const enter = async (name) => (await one.members('enter', 's1', { name, cursor: '' })).entered;
    assert.deepStrictEqual([await enter('a'), await enter('b')], [0, 1]);
    assert.strictEqual(String(await held.run(0, 'hget', fields, 'a')), '?');
    assert.strictEqual(String(await held.run(0, 'hget', fields, 'b')), '');
    assert.deepStrictEqual(await one.channels('u', 's1'), ['a', 'b']);
  });
});
