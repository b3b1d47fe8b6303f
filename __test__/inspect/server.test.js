'use strict';

/**
 * The server of `npx pome-globalchannel inspect`: who gets an answer, what may be asked, and its life. What the views say is tested
 * with the command line, the page in page/.
 */

const assert = require('node:assert');
const http = require('node:http');
const net = require('node:net');
const { after, before, describe, it } = require('node:test');
const cli = require('../support/cli');
const { Inspector } = require('../support/inspector');
const redisServer = require('../support/redis');
const { until } = require('../support/until');

const TIMEOUT = 120000;
/** Less than Node's own limit for the headers of a request. */
const ARRIVES = { timeout: 45000 };

describe('the inspector', { timeout: TIMEOUT }, () => {
  let redis;
  let from;
  let inspector;

  before(async () => {
    redis = await redisServer.start();
    from = `redis://127.0.0.1:${redis.port}/3`;
    await redis.run(3, 'sadd', 'POMELO:CHANNEL:room:c-1', 'ann', 'bob');
    inspector = await Inspector.start(from);
  });
  after(async () => {
    await inspector?.stop();
    await redis.stop();
  });

  const get = (path, headers, method) => inspector.request(path, { headers, method });

  it('prints the address of the page, with a token, as its first line', () => {
    assert.match(inspector.printed.stdout, /^http:\/\/127\.0\.0\.1:\d+\/[\w-]{22}\/\n/);
  });

  it('answers with the page, its files and the views', async () => {
    const { path } = inspector;
    const page = await get(path);
    assert.strictEqual(page.status, 200);
    assert.match(page.body, /<title>Global channel inspector<\/title>/);
    const files = [...page.body.matchAll(/(?:src|href)="([\w.]+)"/g)].map(([, name]) => name);
    assert.ok(files.length >= 3, files.join());
    for (const file of files) assert.strictEqual((await get(path + file)).status, 200, file);
    const { status, told } = await inspector.ask('members', { name: 'room' });
    assert.deepStrictEqual([status, told.count], [200, 2]);
    assert.deepStrictEqual(told.members.map(({ uid }) => uid).sort(), ['ann', 'bob']);
  });

  it('says nothing without the token', async () => {
    const { path } = inspector;
    const other = `/${'A'.repeat(22)}/`;
    const paths = ['/', '', other, `${other}api/overview`, '/api/overview', path.slice(0, -1)];
    paths.push(path.slice(0, -2) + '/', `${path.slice(0, -1)}A/`, `/${path}`, '/index.html');
    for (const wrong of paths) {
      const { status, body } = await get(wrong || '/');
      assert.deepStrictEqual([status, body], [404, ''], wrong);
    }
  });

  it('answers no request for another host', async () => {
    const { path, port } = inspector;
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`]) {
      assert.strictEqual((await get(path, { host })).status, 200, host);
    }
    const hosts = [
      'evil.example',
      `evil.example:${port}`,
      '127.0.0.1',
      'localhost:1',
      `[::1]:${port}`,
    ];
    hosts.push(`127.0.0.1.evil.example:${port}`, `0.0.0.0:${port}`);
    for (const host of hosts) {
      const { status, body } = await get(path, { host });
      assert.deepStrictEqual([status, body], [403, ''], host);
    }
  });

  it('answers no request of another page, and offers nothing to it', async () => {
    const { path, host } = inspector;
    const own = { host, origin: `http://${host}`, 'sec-fetch-site': 'same-origin' };
    const page = await get(path, own);
    assert.strictEqual(page.status, 200);
    assert.strictEqual((await get(path, { 'sec-fetch-site': 'none' })).status, 200);
    const refused = [
      { origin: 'http://evil.example' },
      { origin: 'null' },
      { origin: 'http://127.0.0.1:1' },
      { origin: `https://${host}` },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ];
    for (const headers of refused) {
      const { status, body } = await get(`${path}api/overview`, headers);
      assert.deepStrictEqual([status, body], [403, ''], JSON.stringify(headers));
    }
    const cors = Object.keys(page.headers).filter((name) => name.startsWith('access-control'));
    assert.deepStrictEqual(cors, []);
  });

  it('sends all answers with the headers that keep others out', async () => {
    const { path } = inspector;
    for (const target of [path, `${path}page.js`, `${path}api/overview`, `${path}none`, '/']) {
      const { headers } = await get(target);
      assert.match(headers['content-security-policy'], /^default-src 'none'; script-src 'self';/);
      assert.doesNotMatch(headers['content-security-policy'], /unsafe|\*/);
      assert.strictEqual(headers['x-content-type-options'], 'nosniff');
      assert.strictEqual(headers['referrer-policy'], 'no-referrer');
      assert.strictEqual(headers['cache-control'], 'no-store');
      assert.strictEqual(headers['x-frame-options'], 'DENY');
      assert.strictEqual(headers['cross-origin-resource-policy'], 'same-origin');
    }
  });

  it('takes GET only', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH']) {
      const { status, headers, body } = await get(inspector.path, {}, method);
      assert.deepStrictEqual([status, headers.allow, body], [405, 'GET', ''], method);
    }
  });

  it('has no file but those of the page', async () => {
    const { path } = inspector;
    const names = [
      '../server.js',
      '..%2fserver.js',
      '%2e%2e/server.js',
      '/etc/passwd',
      'index.html',
    ];
    names.push(
      './page.js',
      'page',
      '..\\server.js',
      'page.js%00',
      'api',
      'api/',
      'api/close',
      'api/__proto__',
    );
    for (const name of names) {
      const { status, body } = await get(path + name);
      assert.deepStrictEqual([status, body], [404, '{"error":"no such file"}'], name);
    }
  });

  it('refuses parameters that it does not know, that are twice there, or out of bounds', async () => {
    const wrong = [
      ['overview', 'x=1'],
      ['overview', 'limit=2000001'],
      ['channels', 'limit=0'],
      ['channels', 'limit=1001'],
      ['channels', 'limit=-1'],
      ['channels', 'limit=1e3'],
      ['channels', 'match=a&match=b'],
      ['channels', `match=${'a'.repeat(4097)}`],
      ['channels', 'cursor=nonsense'],
      ['members', ''],
      ['members', 'name=a&name=b'],
      ['members', 'name=a&__proto__=b'],
      ['whois', ''],
      ['events', ''],
    ];
    for (const [action, query] of wrong) {
      const { status, body } = await get(`${inspector.path}api/${action}?${query}`);
      assert.strictEqual(status, 400, `${action}?${query.slice(0, 40)}: ${body}`);
      assert.strictEqual(typeof JSON.parse(body).error, 'string');
      assert.doesNotMatch(body, /\.js|\\n/, 'no stack');
    }
  });

  it('takes a name of 8 KB, and none without an end', async () => {
    const name = '\u00e9'.repeat(4096);
    await redis.run(3, 'sadd', `POMELO:CHANNEL:${name}:c-1`, 'ann');
    const { status, told } = await inspector.ask('members', { name });
    assert.deepStrictEqual([status, told.count], [200, 1]);
    const long = await get(`${inspector.path}api/members?name=${'a'.repeat(100000)}`);
    assert.strictEqual(long.status, 431);
  });

  it('lives on after nonsense on its port', async () => {
    const junk = ['\0\0\0\0', 'GET\r\n\r\n', 'GET / HTTP/9.9\r\n\r\n', '\x16\x03\x01\x02'];
    for (const bytes of junk) {
      const socket = net.connect(inspector.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.end(bytes);
      await new Promise((resolve) => socket.on('close', resolve).resume());
    }
    assert.strictEqual((await get(inspector.path)).status, 200);
  });

  it('drops a request that does not arrive, and takes others meanwhile', ARRIVES, async () => {
    const begins = [
      '',
      'GET ',
      `GET ${inspector.path} HTTP/1.1\r\nHost: ${inspector.host}\r\nX-Slow: `,
      `POST ${inspector.path} HTTP/1.1\r\nHost: ${inspector.host}\r\nContent-Length: 9\r\n\r\n1`,
    ];
    const dropped = begins.map(async (bytes) => {
      const socket = net.connect(inspector.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(bytes);
      await new Promise((resolve) => socket.on('close', resolve).resume());
    });
    assert.strictEqual((await get(inspector.path)).status, 200);
    await Promise.all(dropped);
  });

  it('listens on loopback only', async () => {
    const others = Object.values(require('node:os').networkInterfaces())
      .flat()
      .filter(({ internal, family }) => !internal && [4, 'IPv4'].includes(family));
    for (const { address } of others) {
      const socket = net.connect(inspector.port, address);
      const outcome = await new Promise((resolve) => {
        socket.on('connect', () => resolve('connected')).on('error', ({ code }) => resolve(code));
      });
      socket.destroy();
      assert.strictEqual(outcome, 'ECONNREFUSED', address);
    }
  });

  it('gives a stopped store back as an error, and goes on when it is there again', async () => {
    const server = await redisServer.start();
    const own = await Inspector.start(`redis://127.0.0.1:${server.port}/3`);
    try {
      await server.run(3, 'sadd', 'POMELO:CHANNEL:room:c-1', 'ann');
      await server.kill();
      const { status, told } = await own.ask('members', { name: 'room' });
      assert.strictEqual(status, 502);
      assert.match(told.code, /^ERR_GLOBAL_CHANNEL_/);
      await server.up();
      const back = async () => (await own.ask('members', { name: 'room' })).status === 200;
      await until(back, 'the store again');
    } finally {
      await own.stop();
      await server.stop();
    }
  });

  it('bounds what is read at a time', async () => {
    const server = await redisServer.start();
    const own = await Inspector.start(`redis://127.0.0.1:${server.port}/3`);
    try {
      await server.run(3, 'sadd', 'POMELO:CHANNEL:room:c-1', 'ann');
      server.pause();
      const agent = new http.Agent({ maxSockets: 20 });
      const open = [];
      const statuses = [];
      for (let i = 0; i < 12; i += 1) {
        const path = `${own.path}api/overview?limit=${i + 1}`;
        const request = http.get({ host: '127.0.0.1', port: own.port, path, agent });
        request.on('response', (response) => {
          statuses.push(response.statusCode);
          response.resume();
        });
        request.on('error', () => {});
        open.push(request);
      }
      await until(() => statuses.length === 4, 'four requests too many');
      assert.deepStrictEqual(statuses, [503, 503, 503, 503]);
      server.resume();
      await until(() => statuses.length === 12, 'the answers of the others');
      assert.deepStrictEqual(statuses.slice(4), Array(8).fill(200));
      agent.destroy();
    } finally {
      server.resume();
      await own.stop();
      await server.stop();
    }
  });

  it('reads a view once for all who ask for it at a time', async () => {
    const server = await redisServer.start();
    const own = await Inspector.start(`redis://127.0.0.1:${server.port}/3`);
    try {
      await server.run(3, 'sadd', 'POMELO:CHANNEL:room:c-1', 'ann');
      const { commands } = await server.monitor();
      server.pause();
      const asked = Array.from({ length: 12 }, () => own.ask('channels'));
      await until(async () => own.ask('nothing'), 'the requests before it');
      server.resume();
      const answers = await Promise.all(asked);
      assert.deepStrictEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
      const scans = (await commands()).filter(([, name]) => name === 'SCAN');
      // One, if none has come late.
      assert.ok(scans.length < 6, `${scans.length} scans`);
    } finally {
      server.resume();
      await own.stop();
      await server.stop();
    }
  });

  it('ends with Ctrl-C, and leaves the store as it was', async () => {
    const before = await redis.dump(3);
    const own = await Inspector.start(from);
    for (const action of ['overview', 'frontends', 'channels', 'problems']) {
      assert.strictEqual((await own.ask(action)).status, 200, action);
    }
    const { code, stdout, stderr } = await own.stop();
    assert.deepStrictEqual([code, stdout, stderr], [0, `${own.url}\n`, '']);
    assert.deepStrictEqual(await redis.dump(3), before);
    assert.deepStrictEqual(await redis.run(3, 'keys', '*@*'), []);
  });

  it('has another token each time, and takes the port that it is given', async () => {
    const port = await redisServer.freePort();
    const first = await Inspector.start(from, '--port', String(port));
    assert.strictEqual(first.port, port);
    const taken = await cli.run(['inspect', '--from', from, '--port', String(port)]);
    assert.deepStrictEqual([taken.code, taken.stdout], [1, '']);
    assert.match(taken.stderr, /EADDRINUSE/);
    await first.stop();
    const second = await Inspector.start(from, '--port', String(port));
    await second.stop('SIGTERM');
    assert.notStrictEqual(first.path, second.path);
  });

  it('refuses wrong usage, and a store that is not there', async () => {
    for (const args of [[], ['--from', from, '--port', 'x'], ['--from', from, '--port', '65536']]) {
      const { code, stdout } = await cli.run(['inspect', ...args]);
      assert.deepStrictEqual([code, stdout], [2, ''], args.join(' '));
    }
    const port = await redisServer.freePort();
    const { code, stdout } = await cli.run(['inspect', '--from', `redis://127.0.0.1:${port}`]);
    assert.deepStrictEqual([code, stdout], [1, '']);
  });
});
