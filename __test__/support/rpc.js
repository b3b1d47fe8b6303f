'use strict';

/**
 * Real frontends of pomelo-rpc and pinus-rpc in this process, and a real RPC client in the stub app (app.js): pushes travel over
 * TCP sockets that a test can inspect. There is no cluster and there are no sessions: a frontend records the pushes that
 * it gets, and reports every user as reached.
 */

const { EventEmitter } = require('events');
// Neither framework lets itself be told where to listen.
require('../../demo/app/loopback');
const { createApp } = require('./app');
const { freePort } = require('./redis');

const FRAMEWORKS = {
  'pomelo-rpc': () => ({
    createClient: require('pomelo-rpc').client.create,
    createGateway: require('pomelo-rpc/lib/rpc-server/gateway').create,
    answer: (args) => args.pop()(null, []),
  }),
  'pinus-rpc': () => pinus(),
  'pinus-rpc with TCP mailboxes': () => {
    const { createTcpMailBox, createTcpAcceptor } = require('pinus-rpc');
    return pinus({ mailboxFactory: createTcpMailBox }, { acceptorFactory: createTcpAcceptor });
  },
};

function pinus(clientOptions, gatewayOptions) {
  require('reflect-metadata');
  const { createClient, createGateway } = require('pinus-rpc');
  return {
    createClient: (options) => createClient({ ...options, ...clientOptions }),
    createGateway: (options) => createGateway({ ...options, ...gatewayOptions }),
    answer: () => [],
  };
}

/** MQTT mailboxes have it below, TCP mailboxes are given it. */
const socketOf = (connection) => connection.stream || connection;

/** Frontends `s1`, …, all stopped by `stop()`; `app` is what a service that pushes needs. */
async function startFrontends(framework, count = 3) {
  const { createClient, createGateway, answer } = FRAMEWORKS[framework]();
  const servers = [];
  const frontends = [];
  for (let n = 1; n <= count; n += 1) {
    const port = await freePort();
    const pushes = [];
    const pushMessage = (...args) => {
      pushes.push(args);
      return answer(args);
    };
    const gateway = createGateway({ port, services: { sys: { channelRemote: { pushMessage } } } });
    gateway.start();
    await new Promise((resolve) => gateway.acceptor.server.once('listening', resolve));
    const id = `s${n}`;
    servers.push({ id, serverType: 'connector', frontend: 'true', host: '127.0.0.1', port });
    // What the frontend's own app has, for a service of its own.
    const app = Object.assign(createApp(), {
      event: new EventEmitter(),
      isFrontend: () => true,
      components: { __remote__: { remote: gateway } },
    });
    frontends.push({ id, gateway, pushes, app });
  }
  const client = createClient({ context: { serverId: 'chat-1' } });
  await new Promise((resolve) => client.start(resolve));
  client.addServers(servers);
  const app = createApp({ servers, rpc: (sid, msg, cb) => client.rpcInvoke(sid, msg, cb) });
  app.components = { ['__proxy__']: { client } };
  const station = client['_station'];
  const close = (sid) => {
    // Neither framework stops this timer, ever.
    clearInterval(station.mailboxes[sid]?.keepaliveTimer);
    client.removeServer(sid);
  };
  return {
    app,
    frontends,
    /** The socket on which pushes go to a frontend now. */
    socketTo: (sid) => socketOf(station.mailboxes[sid].socket),
    accepted: (n) => Object.values(frontends[n].gateway.acceptor.sockets).map(socketOf),
    /** Ends the connection; the next push makes another. */
    disconnect(sid) {
      close(sid);
      client.addServer(servers.find(({ id }) => id === sid));
    },
    stop() {
      for (const { id } of servers) close(id);
      for (const { gateway } of frontends) gateway.stop(true);
    },
  };
}

module.exports = { startFrontends };
