'use strict';
/**
 * Clients of other protocols and libraries, with what a schedule needs of one (client.js): the `ws` library, which
 * decompresses by itself, a client of sioconnector on it, one of mqttconnector, and one of udpconnector.
 */

const dgram = require('dgram');
const { once } = require('events');
const mqtt = require('mqtt');
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

/** The `mqtt` library. Only what is published comes; there is no handshake of the framework's. */
class MqttClient extends Client {
  async open() {
    this.mqtt = mqtt.createClient(this.port, HOST, { clientId: this.uid, reconnectPeriod: 0 });
    this.mqtt.on('error', (error) => (this.error = error));
    this.mqtt.on('close', () => {
      this.closed = true;
      this.look();
    });
    this.mqtt.on('message', (_topic, text) => this.take({ type: 'data', body: Buffer.from(text) }));
    await once(this.mqtt, 'connect');
    this.socket = this.mqtt.stream;
    this.localPort = this.socket.localPort;
  }

  leave() {
    this.mqtt.end();
  }
}

/** A package is a datagram. */
class UdpClient extends Client {
  constructor(options) {
    super(options);
    this.decoder = new Decoder('tcp', (item) => this.take(item));
  }

  async open() {
    this.socket = dgram.createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
    this.socket.on('message', (bytes) => this.receive(bytes));
    this.socket.bind(0, HOST);
    await once(this.socket, 'listening');
    this.localPort = this.socket.address().port;
    await this.greet();
  }

  send(bytes) {
    this.socket.send(bytes, this.port, HOST);
  }

  // Nothing holds a datagram back.
  resume() {}

  leave() {
    this.socket.close();
  }
}

module.exports = { WsClient, SioClient, MqttClient, UdpClient };
