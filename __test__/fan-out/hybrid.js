'use strict';
/**
 * The hybridconnector of pomelo or pinus within this process, with the framework's session service and a
 * FanOutPushScheduler, and clients that are sockets. Whole frontends, in processes of their own, are in frontends.js.
 */

const net = require('node:net');
const tls = require('node:tls');
const { Package } = require('pomelo-protocol');
const { FanOutPushScheduler } = require('../..');
const stateOf = require('../../lib/fanOut/apps');
const { until } = require('../support/until');

// The one that pinus has.
const WebSocket = require(require.resolve('ws', { paths: [require.resolve('pinus')] }));

require('reflect-metadata');
require('pomelo-logger').setGlobalLogLevel('OFF');

const HOST = '127.0.0.1';

const FRAMEWORKS = {
  pomelo() {
    const pomelo = require('pomelo');
    const application = require('pomelo/lib/application');
    const { init } = application;
    // It reads config files, and the connector asks for no more than the components.
    application.init = () => {};
    pomelo.createApp();
    application.init = init;
    return {
      use: (components) => (application.components = components),
      connector: (opts) => pomelo.connectors.hybridconnector(0, HOST, opts),
      SessionService: require('pomelo/lib/common/service/sessionService'),
      direct: pomelo.pushSchedulers.direct,
    };
  },
  pinus() {
    const { pinus, HybridConnector, SessionService, DirectPushScheduler } = require('pinus');
    return {
      use: (components) => (pinus['_app'] = { components }),
      connector: (opts) => new HybridConnector(0, HOST, opts),
      SessionService,
      direct: DirectPushScheduler,
    };
  },
};

class Frontend {
  /** `opts` are the scheduler's, `connectorOptions` the connector's. */
  constructor(framework, opts = {}, connectorOptions = {}) {
    const { use, connector, SessionService } = FRAMEWORKS[framework]();
    this.connector = connector({ distinctHost: true, heartbeat: 600, ...connectorOptions });
    this.sessions = new SessionService();
    this.closed = [];
    const services = { sessionService: this.sessions, channelService: {} };
    this.app = { get: (name) => services[name], services };
    use({ __connector__: { connector: this.connector } });
    this.scheduler = new FanOutPushScheduler(this.app, opts);
    this.connector.on('connection', (socket) => {
      const session = this.sessions.create(socket.id, 'connector-1', socket);
      session.on('closed', (each, reason) => this.closed.push([session.id, reason]));
      for (const event of ['disconnect', 'error']) socket.on(event, session.closed.bind(session));
    });
    this.clients = [];
    this.isSecure = Boolean(connectorOptions.ssl);
  }

  async start() {
    await new Promise((resolve) => this.connector.start(resolve));
    const { listeningServer } = this.connector;
    await until(() => listeningServer.address(), 'the port');
    this.port = listeningServer.address().port;
    return this;
  }

  /** A client that has greeted, with its `session`. `kind` is plain, deflate or tcp. */
  async join(kind = 'plain') {
    const known = new Set(Object.keys(this.sessions.sessions));
    const client = kind === 'tcp' ? this.#tcp() : this.#webSocket(kind === 'deflate');
    client.bodies = [];
    client.packages = [];
    client.receive = (bytes) => {
      for (const { type, body } of [Package.decode(bytes)].flat()) {
        client.packages.push(type);
        if (type === Package.TYPE_DATA) client.bodies.push(String(body || ''));
      }
    };
    this.clients.push(client);
    await until(() => client.isOpen, 'a client to be connected');
    client.say(Package.encode(Package.TYPE_HANDSHAKE, Buffer.from('{"sys":{}}')));
    await until(() => client.packages.includes(Package.TYPE_HANDSHAKE), 'the handshake');
    client.say(Package.encode(Package.TYPE_HANDSHAKE_ACK));
    await until(() => client.packages.includes(Package.TYPE_HEARTBEAT), 'the heartbeat');
    const id = Object.keys(this.sessions.sessions).find((each) => !known.has(each));
    client.session = this.sessions.get(Number(id));
    client.raw = client.session['__socket__'].socket['_socket'];
    return client;
  }

  #tcp() {
    const { port, isSecure } = this;
    const options = { port, host: HOST, rejectUnauthorized: false };
    const socket = isSecure ? tls.connect(options) : net.connect(options);
    socket.once(isSecure ? 'secureConnect' : 'connect', () => (socket.isOpen = true));
    let rest = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 4 && rest.length >= 4 + rest.readUIntBE(1, 3)) {
        const length = 4 + rest.readUIntBE(1, 3);
        socket.receive(rest.subarray(0, length));
        rest = rest.subarray(length);
      }
    });
    socket.on('error', () => {});
    socket.say = (bytes) => socket.write(bytes);
    socket.leave = () => socket.destroy();
    return socket;
  }

  #webSocket(deflate) {
    const url = `${this.isSecure ? 'wss' : 'ws'}://${HOST}:${this.port}`;
    const socket = new WebSocket(url, { perMessageDeflate: deflate, rejectUnauthorized: false });
    socket.on('open', () => (socket.isOpen = true));
    socket.on('message', (bytes) => socket.receive(bytes));
    socket.on('error', () => {});
    socket.say = (bytes) => socket.send(bytes);
    socket.leave = () => socket.terminate();
    return socket;
  }

  push(clients, text, opts = { type: 'push' }) {
    const ids = clients.map(({ session }) => session.id);
    return new Promise((resolve) =>
      this.scheduler.schedule(null, 'onChat', Buffer.from(text), ids, opts, resolve),
    );
  }

  get counts() {
    return stateOf(this.app).counts;
  }

  stop() {
    for (const client of this.clients) client.leave();
    for (const session of Object.values(this.sessions.sessions)) {
      session['__socket__'].socket['_socket'].destroy();
    }
    this.connector.stop(true, () => {});
  }
}

module.exports = { Frontend, FRAMEWORKS };
