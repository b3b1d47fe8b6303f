'use strict';

/**
 * Bytes that Redis never sends, for wire.test.js: jobs in a process of their own, which a defect may end. Each returns
 * `{wrong, count, grown}`.
 */

const fc = require('fast-check');
const net = require('net');
const { once } = require('events');
const { start } = require('../cache/double');
const { call } = require('../support/call');
const { until } = require('../support/until');

const KINDS = '+-:$*%~>|_,#!=(';
const LENGTHS = ['1000000000', '9999999999', '9223372036854775807', '-1', '-2', '', 'x', '1e3'];
const invalidate = (data) => `>2\r\n$10\r\ninvalidate\r\n${data}`;
const VALUES = [
  '_\r\n',
  ':1\r\n',
  '*0\r\n',
  '*2\r\n:1\r\n_\r\n',
  '*1\r\n*1\r\n$1\r\na\r\n',
  '%1\r\n+a\r\n+b\r\n',
  '~1\r\n+a\r\n',
  '|1\r\n+a\r\n+b\r\n+c\r\n',
  '-ERR no\r\n',
  ',nan\r\n',
  '#t\r\n',
  '(12345678901234567890\r\n',
  '=5\r\ntxt:a\r\n',
  '!7\r\nERR one\r\n',
  '>2\r\n+a\r\n+b\r\n',
  '$-1\r\n',
  '$3\r\n\xff\x00\xfe\r\n',
];

const LENGTHY = [...KINDS].flatMap((kind) => LENGTHS.map((length) => `${kind}${length}\r\n`));
const OTHERS = [
  ...VALUES,
  ...VALUES.map(invalidate),
  ...VALUES.map((value) => `*1\r\n${value}`),
  '>0\r\n',
  '>1\r\n+invalidate\r\n',
  '>3\r\n+invalidate\r\n_\r\n_\r\n',
  '>1\r\n:1\r\n',
  '*1\r\n'.repeat(99),
  '*1\r\n'.repeat(100000),
  '%1\r\n'.repeat(1000),
  '*4096\r\n'.repeat(99),
  '|1\r\n'.repeat(1000),
  '+\xff\xfe\r\n',
  '-\xff\r\n',
  '$5\r\nab\r\ncd\r\n',
  '\r\n\r\n',
  '\0'.repeat(1 << 20),
  `+${'a'.repeat(1 << 20)}`,
  'HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nno\n',
  '\x15\x03\x03\x00\x02\x02\x46',
  'SSH-2.0-OpenSSH_9.2p1\r\n',
];

const FRAMES = [...LENGTHY, ...OTHERS];

/** Each of these may take until the time of a call is over. */
const IN_SESSION = [...LENGTHY.filter((frame) => /[$*%~>|=]\d{10}/.test(frame)), ...OTHERS];

/** Codes that an error may have here. A server that talks nonsense is no defect of ours. */
const FAIR = /^ERR_GLOBAL_CHANNEL_(TIMEOUT|DISCONNECTED|UNREACHABLE|STORE)$/;

const shown = (frame) => JSON.stringify(frame.length > 60 ? `${frame.slice(0, 60)}…` : frame);
const resident = () => process.memoryUsage().rss;

/** A server whose first words are these, whatever it is asked. */
async function atLogin({ create, emit, args }) {
  const wrong = [];
  const before = resident();
  const server = net.createServer();
  let frames = args.random > 0 ? [] : FRAMES;
  if (args.random > 0) frames = fc.sample(bytes(), { numRuns: args.random });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address();
  for (let i = 0; i < frames.length; i += 20) {
    const group = frames.slice(i, i + 20);
    let next = 0;
    const onConnection = (socket) => {
      socket.on('error', () => {});
      socket.resume();
      socket.write(Buffer.from(group[next % group.length], 'latin1'));
      next += 1;
    };
    server.on('connection', onConnection);
    const starts = group.map(async () => {
      const times = { connectTimeout: 200, startTimeout: 300 };
      const service = create({ host: '127.0.0.1', port, ...times });
      const { err, n } = await call(service, 'start');
      if (!err || !FAIR.test(err.code) || n !== 1)
        wrong.push(`${err && err.code} ${err}, after ${group.map(shown)}`);
      await call(service, 'stop', true);
    });
    await Promise.all(starts);
    server.off('connection', onConnection);
  }
  emit({ wrong, count: frames.length, grown: resident() - before });
  process.exit(0);
}

/** Random frames, cut and glued. */
function bytes() {
  const frame = fc.constantFrom(...FRAMES.filter(({ length }) => length < 1000));
  const noise = fc
    .uint8Array({ maxLength: 40 })
    .map((array) => Buffer.from(array).toString('latin1'));
  const cut = fc.tuple(frame, fc.nat({ max: 30 })).map(([text, length]) => text.slice(0, length));
  return fc
    .array(fc.oneof(frame, cut, noise), { minLength: 1, maxLength: 6 })
    .map((parts) => parts.join(''));
}

/** In the middle of a session, in the place of the answers to a write and two reads. */
async function inSession({ create, emit, args }) {
  const wrong = [];
  const double = await start();
  const before = resident();
  const frames = args.random > 0 ? fc.sample(bytes(), { numRuns: args.random }) : IN_SESSION;
  const times = { commandTimeout: 150, connectTimeout: 2000, retry_max_delay: 10 };
  const service = create({ host: '127.0.0.1', port: double.port, ...times });
  const { err } = await call(service, 'start');
  if (err) throw err;
  let n = 0;
  for (const frame of frames) {
    n += 1;
    double.hold();
    const records = ['add', 'getMembersBySid', 'getMembersBySid'].map((method, i) =>
      call(service, method, `c${n}${i}`, ...(method === 'add' ? ['u'] : []), 's1'),
    );
    await until(() => double.held.length > 0, 'the calls to arrive');
    double.drop();
    double.sendRaw(frame);
    double.flow();
    for (const record of await Promise.all(records)) {
      const { err: failed, n: calls } = record;
      if (calls !== 1 || (failed && !FAIR.test(failed.code))) {
        wrong.push(`${shown(frame)}: ${calls} callbacks, ${failed && failed.stack}`);
      }
    }
    // Whatever the server made of its own order: with a new connection all is well.
    double.cut();
    const name = `after ${n}`;
    const works = async () => {
      if ((await call(service, 'add', name, 'u', 's1')).err) return false;
      const { err: failed, value } = await call(service, 'getMembersBySid', name, 's1');
      return !failed && value.length === 1 && value[0] === 'u';
    };
    await until(works, `the service to work after ${shown(frame)}`);
  }
  emit({ wrong, count: frames.length, grown: resident() - before });
  process.exit(0);
}

module.exports = { atLogin, inSession };
