'use strict';
/**
 * Clients that are not ours, with what a schedule needs of one (client.js): the `ws` library, which decompresses by
 * itself, and a client of sioconnector on it.
 */

const { once } = require('events');
const { Client } = require('./client');
const { Decoder } = require('./wire');

// The one that pinus has.
const WebSocket = require(require.resolve('ws', { paths: [require.resolve('pinus')] }));

const HOST = '127.0.0.1';

/** `kind` is `deflate`, or `fresh`, which asks for a new context for each message, or `plain`. */
class WsClient extends Client {
  constructor(options) {
    super(options);
    this.decoder = new Decoder('tcp', (item) => this.take(item));
  }

  async connect(url, options) {
    this.ws = new WebSocket(url, options);
    this.ws.on('error', (error) => (this.error = error));
    this.ws.on('close', () => {
      this.closed = true;
      this.look();
    });
    this.ws.on('message', (data) => this.receive(Buffer.from(data)));
    await once(this.ws, 'open');
    this.socket = this.ws['_socket'];
    this.localPort = this.socket.localPort;
  }

  async open() {
    const perMessageDeflate = {
      deflate: true,
      fresh: { serverNoContextTakeover: true },
      plain: false,
    }[this.kind];
    await this.connect(`ws://${HOST}:${this.port}`, { perMessageDeflate });
    if (Boolean(this.ws.extensions) !== (this.kind !== 'plain')) throw new Error('extensions');
    await this.greet();
  }

  receive(data) {
    this.decoder.push(data);
  }

  send(bytes) {
    this.ws.send(bytes);
  }

  leave() {
    this.ws.terminate();
  }
}

/** socket.io 1 (pomelo) and 4 (pinus) on a WebSocket: engine.io's packets as text, `42` a message. */
class SioClient extends WsClient {
  async open() {
    const version = this.kind === 'sio1' ? 3 : 4;
    const path = `/socket.io/?EIO=${version}&transport=websocket`;
    const connected = this.until(({ type }) => type === 'connected');
    const opened = this.connect(`ws://${HOST}:${this.port}${path}`, { perMessageDeflate: false });
    await opened;
    if (version === 4) this.ws.send('40');
    await connected;
    // pomelo's siosocket does not know it.
    this.localPort = 0;
  }

  receive(data) {
    const text = String(data);
    if (text === '2') this.ws.send('3');
    else if (text.startsWith('40')) this.take({ type: 'connected', body: Buffer.alloc(0) });
    else if (text.startsWith('42')) this.take({ type: 'data', body: Buffer.from(text.slice(2)) });
  }
}

module.exports = { WsClient, SioClient };
