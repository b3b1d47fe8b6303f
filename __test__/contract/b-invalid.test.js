'use strict';

/**
 * Wrong options throw from the constructor: the message names the option, its value (never a
 * secret) and what is accepted. Part of area B of the contract; B23 belongs here.
 */

const assert = require('node:assert');
const { describe, afterEach } = require('node:test');
const { CODE, assertRefused } = require('../support/refusals');
const { create, stopAll, refusal } = require('../support/service');
const { ours } = require('../support/rows');

const MILLISECONDS = [-1, '-1', 1.5, '1.5', NaN, Infinity, 'soon', '10s', true, {}, [], () => 1];
const TIMES = ['connectTimeout', 'commandTimeout', 'startTimeout', 'pushTimeout'];
const NOT_TEXT = [5, true, {}, [], () => 1, Symbol('s')];

/** option → [wrong values, what the message must say is accepted] */
const WRONG = {
  host: [NOT_TEXT, /string/],
  port: [[-1, 65536, '65536', 1.5, NaN, true, {}, [], () => 1], /65535/],
  path: [NOT_TEXT, /string|path/],
  url: [NOT_TEXT, /string|redis:\/\//],
  db: [[-1, '-1', 1.5, NaN, 'first', true, {}, [], () => 1], /integer|number/],
  prefix: [NOT_TEXT, /string/],
  username: [NOT_TEXT.filter((value) => typeof value !== 'function'), /string or a function/],
  natMap: [[5, true, [], ['h:1'], Symbol('s')], /'host:port': \{host, port\}\} or a function/],
  maxQueue: [[-1, 0, 1.5, NaN, Infinity, 'many', true, {}, []], /integer|number/],
  channelManager: [[5, 'redis', true, Symbol('s'), {}, { add: 1 }, []], /add|manager|function/],
  enable_offline_queue: [[1, 'no', {}, []], /true|false|boolean/],
  max_attempts: [[-1, 1.5, 'often', {}, [], () => 1], /integer|number/],
  retry_max_delay: [[-1, 1.5, 'long', {}, [], () => 1], /integer|number/],
  connect_timeout: [[-1, 1.5, 'long', {}, [], () => 1], /integer|number/],
};
for (const time of TIMES) WRONG[time] = [MILLISECONDS, /millisecond|integer|number/];

describe('B wrong options', () => {
  afterEach(stopAll);

  for (const [option, [values, accepted]] of Object.entries(WRONG)) {
    ours(`B wrong ${option}: the error names it, the value and what is accepted`, () =>
      assertRefused(option, values, accepted),
    );
  }

  for (const option of ['password', 'auth_pass']) {
    ours(`B wrong ${option}: named, but never shown`, () => {
      for (const value of [{ hush: 'hush' }, ['hush'], true, Symbol('hush')]) {
        const err = refusal({ [option]: value });
        assert.strictEqual(err && err.code, CODE, `${typeof value} was accepted`);
        assert.ok(err.message.includes(option), err.message);
        assert.match(err.message, /a string or a function/);
        assert.ok(!err.message.includes('hush'), err.message);
      }
    });
  }

  ours('B password and auth_pass that are two functions, or one and a text, are refused', () => {
    const same = () => 'hush';
    for (const [password, auth_pass] of [
      [same, same],
      [same, 'hush'],
      ['hush', same],
    ]) {
      const err = refusal({ password, auth_pass });
      assert.strictEqual(err && err.code, CODE);
      assert.match(err.message, /^options password and auth_pass differ/);
    }
    assert.ifError(refusal({ auth_pass: same }));
  });

  ours('B natMap: a wrong key or address is named, and it needs sentinels or a cluster', () => {
    const cluster = ['h'];
    const to = { host: 'h', port: 1 };
    const self = {};
    self.self = self;
    for (const [natMap, words] of [
      [{ 'h:1': 5 }, /^option natMap\["h:1"\] is 5; accepted is \{host, port\} or 'host:port'$/],
      [{ 'h:1': 'h:x' }, /^option natMap\["h:1"\]\.port is "x"/],
      [{ 'h:1': { hots: 'h' } }, /^option natMap\["h:1"\] has an unknown field "hots"/],
      [{ 'h:1': () => to }, /^option natMap\["h:1"\] is a function; /],
      [{ h: to }, /^option natMap has the key "h"; accepted as a key is 'host:port'$/],
      [{ 'h:': to }, /^option natMap has the key "h:"/],
      [{ ':1': to }, /^option natMap has the key ":1"/],
      [{ 'redis://:hush@h:1': to }, /^option natMap has the key a URL \(not shown\)/],
      [{ 'joe:hush@h:1': to }, /^option natMap has the key a URL \(not shown\)/],
      ['redis://:hush@h:1', /^option natMap is a string \(not shown\)/],
      [self, /^option natMap has the key "self"/],
    ]) {
      const err = refusal({ cluster, natMap });
      assert.strictEqual(err && err.code, CODE, String(err));
      assert.match(err.message, words);
    }
    const alone = refusal({ natMap: { 'h:1': to } });
    assert.match(alone.message, /^option natMap is for use with option sentinels or cluster$/);
    const embedded = refusal({ store: 'embedded', path: 'p', natMap: { 'h:1': to } });
    assert.match(embedded.message, /^option natMap is for store 'redis'/);
    for (const natMap of [{}, { 'h:1': null }, { '::1:1': to, '[::2]:1': '[::3]:2' }, () => to]) {
      assert.ifError(refusal({ cluster, natMap }));
    }
  });

  ours('B a url of another scheme: the error names url and what is accepted', () => {
    for (const url of ['http://127.0.0.1', '127.0.0.1:6379', 'redis://', 'redis://h:port', 'x']) {
      const err = refusal({ url });
      assert.strictEqual(err && err.code, CODE, `${url} was accepted`);
      assert.match(err.message, /url.*redis:\/\//);
    }
  });

  ours('B an unknown part of a url is refused, and named', () => {
    for (const [url, named] of Object.entries({
      'redis://h?timeout=5': /unknown parameter timeout;/,
      'redis://h?family=6&db=3': /unknown parameter family;/,
      'redis://h/3?db=4': /db twice/,
      'redis://h?db=3&db=4': /db twice/,
      'redis://h?db=first': /parameter db /,
      'rediss://h?tls=false': /tls=false/,
      'redis://h/3#x': /fragment/,
      'unix://joe@localhost/tmp/x.sock': /a user/,
      'unix:///tmp/x.sock?tls=true': /tls=true/,
    })) {
      const err = refusal({ url });
      assert.strictEqual(err && err.code, CODE, `${url} was accepted`);
      assert.match(err.message, /^option url /);
      assert.match(err.message, named);
    }
  });

  ours('B an unknown field of a server in a list is refused, and named', () => {
    for (const opts of [
      { sentinels: [{ host: 'h', family: 6 }], name: 'x' },
      { cluster: ['h', { host: 'h', family: 6 }] },
    ]) {
      const err = refusal(opts);
      assert.strictEqual(err && err.code, CODE);
      assert.match(err.message, /^option (sentinels\[0\]|cluster\[1\]) .*"family"/);
    }
  });

  ours('B a password inside a wrong url is never shown', () => {
    for (const url of [
      'redis://127.0.0.1:6379?pwd=hush',
      'redis://127.0.0.1:6379?hush',
      'redis://:a@127.0.0.1:6379?password=hush',
      'redis://joe:12?hush=@127.0.0.1:6379',
      'redis://joe:12#hush@127.0.0.1:6379',
      'http://joe:hush@127.0.0.1:6379',
      'redis://joe:hush@127.0.0.1:99999',
      'redis://:hush@127.0.0.1:port',
      'redis://:hush@127.0.0.1:6379/first',
      'redis://:hush@',
      'redis//:hush@127.0.0.1',
      'joe:hush@127.0.0.1',
    ]) {
      const err = refusal({ url });
      assert.strictEqual(err && err.code, CODE, `${url} was accepted`);
      assert.ok(err.message.includes('url'), err.message);
      assert.ok(!`${err.message}\n${err.stack}`.includes('hush'), err.message);
    }
  });

  for (const [title, opts] of Object.entries({
    'path and host': { path: '/tmp/x.sock', host: '127.0.0.1' },
    'path and port': { path: '/tmp/x.sock', port: 6379 },
    'path and url': { path: '/tmp/x.sock', url: 'redis://127.0.0.1' },
    'url and host': { url: 'redis://127.0.0.1', host: '127.0.0.1' },
    'url and port': { url: 'redis://127.0.0.1', port: 6379 },
  })) {
    ours(`B ${title} exclude each other, and the error names both`, () => {
      const err = refusal(opts);
      assert.strictEqual(err && err.code, CODE);
      for (const option of Object.keys(opts)) assert.ok(err.message.includes(option), err.message);
    });
  }

  ours('B a url in the place of a host is refused, and its password not shown', () => {
    const err = refusal({ host: 'redis://:hush@127.0.0.1' });
    assert.strictEqual(err && err.code, CODE);
    assert.match(err.message, /host/);
    assert.ok(!err.message.includes('hush'), err.message);
  });

  for (const [host, accepted] of [
    ['h:6379', /^option host is "h:6379"; accepted is a host name .* port by itself/],
    ['[::1]', /^option host is "\[::1\]"; accepted is .* IPv6 without brackets/],
    ['h\n', /^option host is "h\\n"; accepted is .* without spaces and line breaks/],
    [' h', /^option host is " h"; accepted is .* without spaces and line breaks/],
    ['a:1,b:2', /^option host is .*; accepted is one host name .*sentinels or cluster/],
    ['h:6379,password=hush', /not shown/],
    ['h:6379:hush', /not shown/],
    ['${REDIS_HOST}', /^option host is .*; accepted is a host name .*letters/],
  ]) {
    ours(`B ${JSON.stringify(host)} is no host: the constructor says what is meant`, () => {
      const err = refusal({ host });
      assert.strictEqual(err && err.code, CODE);
      assert.match(err.message, accepted);
      assert.ok(!err.message.includes('hush'), err.message);
      const brothers = [
        [{ sentinels: ['a', { host }], name: 'x' }, /^option sentinels\[1\]\.host is /],
        [{ cluster: [{ host }] }, /^option cluster\[0\]\.host is /],
      ];
      for (const [opts, named] of brothers) {
        const { code, message } = refusal(opts) || {};
        assert.strictEqual(code, CODE);
        assert.match(message, named);
        assert.ok(!message.includes('hush'), message);
      }
    });
  }

  ours('B the path of a Unix socket has no line breaks, and is not too long', () => {
    for (const [opts, accepted] of [
      [{ path: '/tmp/redis.sock\n' }, /^option path is "\/tmp\/redis.sock\\n"; .*line breaks/],
      [{ port: '/tmp/redis.sock\n' }, /^option port is .*; .*line breaks/],
      [{ path: `/tmp/${'x'.repeat(200)}` }, /^option path is .*; .* 100 bytes/],
      [{ url: `unix:///tmp/${'x'.repeat(200)}` }, /^option url has no path .* 100 bytes/],
      [{ store: 'embedded', path: 'channels\n' }, /^option path is "channels\\n"; /],
    ]) {
      const err = refusal(opts);
      assert.strictEqual(err && err.code, CODE);
      assert.match(err.message, accepted);
    }
  });

  ours('B the url of another client is refused, with what to use instead', () => {
    for (const [url, instead] of Object.entries({
      'redis-sentinel://:hush@h:26379/0#mymaster': /redis\+sentinel:\/\/.* sentinels and name/,
      'redis-cluster://:hush@h:6379': /redis\+cluster:\/\/.* option cluster/,
      'redis+tls://:hush@h': /rediss:\/\//,
      'redis-socket:///tmp/hush': /unix:\/\/\/path/,
      'redis://:hush@a:1,b:2': /names several servers; .*cluster or sentinels/,
      'redis+sentinel://:hush@a/mymaster?service_name=x': /unknown parameter service_name/,
    })) {
      const err = refusal({ url });
      assert.strictEqual(err && err.code, CODE, `${url} was accepted`);
      assert.match(err.message, instead);
      assert.ok(!err.message.includes('hush'), err.message);
    }
    const err = refusal({ url: 'redis+sentinel://a/one', name: 'two' });
    assert.match(err.message, /^options name and url have different names/);
    assert.match(refusal({ url: 'redis+sentinel://a' }).message, /^option name is absent/);
    assert.match(
      refusal({ url: 'redis+sentinel://a/one', host: 'h' }).message,
      /^options url and host exclude each other/,
    );
    assert.match(
      refusal({ url: 'redis+cluster://a', port: 1 }).message,
      /^options url and port exclude each other/,
    );
    assert.match(
      refusal({ url: 'redis+cluster://a', sentinelPassword: 'hush' }).message,
      /^option sentinelPassword is for use with option sentinels/,
    );
  });

  ours('B a prefix with an empty hash tag in it is refused with hashTag', () => {
    const err = refusal({ hashTag: true, prefix: 'P{}' });
    assert.strictEqual(err && err.code, CODE);
    assert.match(err.message, /^option prefix has {} in it; .*hashTag/);
    assert.ifError(refusal({ prefix: 'P{}' }));
  });

  ours('B23 return_buffers: true is refused by name', () => {
    const err = refusal({ return_buffers: true });
    assert.strictEqual(err && err.code, CODE);
    assert.match(err.message, /return_buffers/);
  });

  for (const opts of [5, 'opts', true]) {
    ours(`B opts that are no object: ${typeof opts}`, () => {
      const err = refusal(opts);
      assert.strictEqual(err && err.code, CODE);
      assert.match(err.message, /opt/);
    });
  }

  ours('B a refused service is not attached to the app', () => {
    const { createApp } = require('../support/app');
    const app = createApp();
    assert.throws(() => create({ port: 'x'.repeat(3), db: -1 }, app), { code: CODE });
    assert.deepStrictEqual(app.setCalls, []);
  });

  ours('B right values in every accepted form are accepted', () => {
    const times = Object.fromEntries(TIMES.map((time) => [time, '0']));
    for (const opts of [
      { host: 'example.org', port: '6379', db: '15', prefix: 'ü', username: 'joe', password: 'x' },
      { ...times, maxQueue: '1', max_attempts: '0', retry_max_delay: '100', connect_timeout: '0' },
      { max_attempts: false, retry_max_delay: false, connect_timeout: false },
      { max_attempts: null, retry_max_delay: null, connect_timeout: null },
      { enable_offline_queue: null, return_buffers: false, cleanOnStartUp: false },
      { host: undefined, port: undefined, url: undefined, path: undefined, db: undefined },
      // A password of digits comes as a number from a config file.
      { url: 'redis://joe@example.org', auth_pass: 12345 },
      { url: 'redis://[::1]:6379/0' },
      { url: 'redis://h?db=3&username=joe&password=%40&tls=true' },
      { url: 'unix:///tmp/x.sock?db=3&user=joe&pass=x' },
      { anything: 'else', parser: 'javascript', socket_nodelay: false, no_ready_check: true },
    ]) {
      assert.ifError(refusal(opts));
    }
  });
});
