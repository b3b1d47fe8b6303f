'use strict';
/**
 * A process with a few clients that read everything, by the `ws` package: the cheap clients of
 * clients.c only count. For each client it says which pushes it got, in the order in which they came,
 * and a message that is not what was sent is an error. Started by users.js.
 */

const { createRequire } = require('node:module');
const { setTimeout: pause } = require('node:timers/promises');
const { Message, Package } = require('pomelo-protocol');
const { TEXT } = require('./message');

const WebSocket = createRequire(require.resolve('pomelo-nodejsclient-websocket'))('ws');

const witnesses = [];
/** What has gone wrong first; `end` tells. */
const problems = [];

/** Returns a push's number: the first field of the app's protobuf. */
function numberOf({ type, body }) {
  if (type !== Message.TYPE_PUSH || body[0] !== 0x08 || !body.includes(TEXT)) {
    throw new Error(`no push of ours: ${JSON.stringify(body.toString('latin1'))}`);
  }
  let n = 0;
  for (let at = 1, shift = 0; ; at += 1, shift += 7) {
    n |= (body[at] & 127) << shift;
    if (body[at] < 128) return n;
  }
}

/** Logs in and resolves to a list that the numbers of its pushes are added to. */
function connect({ port, uid, chat, deflate }) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: deflate });
    const got = [];
    const send = (type, text = '') => socket.send(Package.encode(type, Buffer.from(text)));
    const take = ({ type, body }) => {
      if (type === Package.TYPE_HANDSHAKE) {
        send(Package.TYPE_HANDSHAKE_ACK);
        const route = 'connector.entryHandler.enter';
        const request = Buffer.from(JSON.stringify({ uid, chat }));
        const message = Message.encode(1, Message.TYPE_REQUEST, false, route, request);
        socket.send(Package.encode(Package.TYPE_DATA, message));
        return;
      }
      if (type !== Package.TYPE_DATA) throw new Error(`a package of type ${type}`);
      const message = Message.decode(body);
      if (message.type === Message.TYPE_RESPONSE) resolve({ socket, got });
      else got.push(numberOf(message));
    };
    const fail = (error) => {
      problems.push(error);
      reject(error);
    };
    socket.on('open', () =>
      send(Package.TYPE_HANDSHAKE, '{"sys":{"type":"benchmark","version":"1"}}'),
    );
    socket.on('error', fail);
    socket.on('close', () => fail(new Error(`${uid}: the connection was closed`)));
    socket.on('message', (data) => {
      try {
        [Package.decode(data)].flat().forEach(take);
      } catch (error) {
        fail(error);
      }
    });
  });
}

const commands = {
  /** Connects the clients `[{port, uid, chat, deflate}, …]`. */
  async connect(wanted) {
    witnesses.push(...(await Promise.all(wanted.map(connect))));
  },

  begin() {
    for (const { got } of witnesses) got.length = 0;
  },

  /** Waits until each has got `expected[i]` pushes, and a little for more; what each got. */
  async end({ expected, timeout }) {
    const until = Date.now() + timeout;
    const missing = () => witnesses.some(({ got }, i) => got.length < expected[i]);
    while (problems.length === 0 && missing() && Date.now() < until) await pause(20);
    await pause(100);
    if (problems.length > 0) throw problems[0];
    return witnesses.map(({ got }) => got);
  },

  close() {
    process.exit(0);
  },
};

process.on('message', async ({ command, args }) => {
  try {
    process.send({ value: (await commands[command](args)) ?? true });
  } catch (error) {
    process.send({ error: error.stack });
  }
});
process.on('disconnect', () => process.exit(0));
process.on('SIGTERM', () => process.exit(0));
