'use strict';
/**
 * A client that is nothing but a Node socket: it speaks the WebSocket and the pomelo handshake itself, keeps every
 * byte that comes, can stop to read, and can end in the middle of everything.
 */

const net = require('net');
const tls = require('tls');
const { once } = require('events');
const { Package } = require('pomelo-protocol');
const bodies = require('./bodies');
const { Decoder, frame } = require('./wire');

const HOST = '127.0.0.1';
const PATIENCE = 30000;
const END_OF_HEAD = '\r\n\r\n';

const OFFERS = {
  plain: '',
  deflate: 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n',
};

class Client {
  /**
   * `kind` is `plain` (a WebSocket), `deflate` or `tcp`. `sys` is more for the handshake. `heartbeat` is whether the
   * frontend has heartbeats, and answers the handshake with one; `ack`, whether the handshake is brought to its end.
   */
  constructor({ uid, kind, port, secure = false, sys = {}, heartbeat = true, ack = true }) {
    Object.assign(this, { uid, kind, port, secure, sys, heartbeat, ack });
    this.chunks = [];
    this.items = [];
    /** Messages that were for others. */
    this.foreign = [];
    this.head = Buffer.alloc(0);
    this.closed = false;
    this.waiting = new Set();
    this.decoder = new Decoder(kind, (item) => this.take(item));
  }

  async open() {
    const { port } = this;
    const options = { port, host: HOST, rejectUnauthorized: false };
    this.socket = this.secure ? tls.connect(options) : net.connect(options);
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.closed = true;
      this.look();
    });
    await once(this.socket, this.secure ? 'secureConnect' : 'connect');
    this.localPort = this.socket.localPort;
    this.socket.on('data', (chunk) => this.receive(chunk));
    if (this.kind !== 'tcp') await this.upgrade();
    await this.greet();
  }

  /** pomelo's handshake. */
  async greet() {
    const sys = { type: 'test', version: '0.0.1', ...this.sys };
    this.send(Package.encode(Package.TYPE_HANDSHAKE, Buffer.from(JSON.stringify({ sys }))));
    await this.until(({ type }) => type === 'handshake');
    if (this.ack) await this.acknowledge();
  }

  async acknowledge() {
    this.send(Package.encode(Package.TYPE_HANDSHAKE_ACK));
    if (this.heartbeat) await this.until(({ type }) => type === 'heartbeat');
  }

  async upgrade() {
    this.upgrading = true;
    this.socket.write(
      `GET / HTTP/1.1\r\nHost: ${HOST}:${this.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ZmFuIG91dCBmYW4gb3V0IQ==\r\n` +
        `${OFFERS[this.kind]}\r\n`,
    );
    await this.seen(() => !this.upgrading || this.closed, 'the WebSocket handshake');
    if (!this.head.includes(' 101 ')) throw new Error(`no WebSocket: ${this.head}`);
    const accepted = this.head.includes('permessage-deflate');
    if (accepted !== (this.kind === 'deflate')) throw new Error(`extensions: ${this.head}`);
  }

  receive(chunk) {
    this.chunks.push(chunk);
    if (!this.upgrading) {
      this.decoder.push(chunk);
      return;
    }
    this.head = Buffer.concat([this.head, chunk]);
    const at = this.head.indexOf(END_OF_HEAD);
    if (at < 0) return;
    const rest = this.head.subarray(at + END_OF_HEAD.length);
    this.head = this.head.subarray(0, at);
    this.upgrading = false;
    this.look();
    if (rest.length > 0) this.decoder.push(rest);
  }

  take(item) {
    if (item.type === 'data') {
      item.content = bodies.read(item.body);
      const { to } = item.content || {};
      if (to && !to.includes(this.uid)) this.foreign.push(item.content.n);
    }
    this.items.push(item);
    this.look();
  }

  /** One package. */
  send(bytes) {
    this.socket.write(this.kind === 'tcp' ? bytes : frame(bytes));
  }

  /** Until something has come of which `is` holds, or the connection has ended. */
  until(is, what = 'a package', patience = PATIENCE) {
    return this.seen(() => this.items.some(is) || this.closed, what, patience);
  }

  /** The condition is looked at when something comes. */
  async seen(condition, what, patience = PATIENCE) {
    if (condition()) return;
    await new Promise((resolve, reject) => {
      const late = () => reject(new Error(`waited in vain for ${what} at ${this.uid}`));
      const timer = setTimeout(late, patience);
      const waiting = { condition, resolve: () => (clearTimeout(timer), resolve()) };
      this.waiting.add(waiting);
    });
  }

  look() {
    for (const each of this.waiting) {
      if (!each.condition()) continue;
      this.waiting.delete(each);
      each.resolve();
    }
  }

  /** The whole stream. */
  get bytes() {
    return Buffer.concat(this.chunks);
  }

  /** The numbers of the pushes and responses that came, in order. */
  get numbers() {
    return this.items.flatMap(({ content }) => (content ? [content.n] : []));
  }

  pause() {
    this.socket.pause();
  }

  resume() {
    this.socket.resume();
  }

  /** `fin`, `reset`, or `half`: nothing more is sent, but it still reads. */
  leave(how = 'fin') {
    if (how === 'half') this.socket.end();
    // A TLS socket cannot.
    else if (how === 'reset' && !this.secure) this.reset();
    else this.socket.destroy();
  }

  /** Node tells no `close`, and leaves the handle open, where the system refuses a reset because the other side was faster. */
  reset() {
    const { _handle: handle } = this.socket;
    this.socket.on('error', ({ syscall }) => {
      if (syscall === 'reset') handle.close(() => this.socket.emit('close', true));
    });
    this.socket.resetAndDestroy();
  }
}

module.exports = { Client };
