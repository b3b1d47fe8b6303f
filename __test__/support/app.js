'use strict';

/**
 * A stub of the part of a pomelo application that the plugin uses, for cases that need a scripted server list or RPC. Real
 * applications are tested in pomelo-cluster/.
 */

/** s1, s2, s3 are frontends of type connector; backend-1 is none. */
function defaultServers() {
  return [
    { id: 's1', serverType: 'connector', frontend: 'true' },
    { id: 's2', serverType: 'connector', frontend: 'true' },
    { id: 's3', serverType: 'connector', frontend: 'true' },
    { id: 'backend-1', serverType: 'chat' },
  ];
}

/**
 * `app.rpc(sid, msg, cb)` scripts the answers and may be replaced at any time; all calls are in
 * `app.rpcCalls` as `{sid, msg, argc, self}`.
 */
function createApp({ servers = defaultServers(), rpc } = {}) {
  const byType = {};
  const settings = {};
  const app = {
    serversMap: {},
    setCalls: [],
    rpcCalls: [],
    rpc: rpc || ((sid, msg, cb) => process.nextTick(cb, null, [])),

    addServer(server) {
      app.serversMap[server.id] = server;
      (byType[server.serverType] = byType[server.serverType] || []).push(server);
    },
    // pomelo splices its own array, which it also hands out.
    removeServer(id) {
      const { serverType } = app.serversMap[id];
      delete app.serversMap[id];
      const list = byType[serverType];
      list.splice(
        list.findIndex((server) => server.id === id),
        1,
      );
    },
    getServers: () => app.serversMap,
    getServersByType: (type) => byType[type],
    isFrontend: (server) => Boolean(server) && server.frontend === 'true',

    set(key, value, attach) {
      app.setCalls.push([key, value, attach]);
      settings[key] = value;
      if (attach) app[key] = value;
      return app;
    },
    get: (key) => settings[key],

    rpcInvoke(sid, msg, cb) {
      app.rpcCalls.push({ sid, msg, argc: arguments.length, self: this });
      return app.rpc(sid, msg, cb);
    },
  };
  servers.forEach(app.addServer);
  return app;
}

/** The uids that each frontend was sent, in the order of the RPCs. */
const pushed = (app) => app.rpcCalls.map(({ sid, msg }) => [sid, msg.args[2]]);

/** An RPC script: `{s1: 'error', s2: ['failed uid'], …}`; frontends not named succeed. */
const answering = (answers) => (sid, msg, cb) => {
  const answer = answers[sid];
  const isError = answer !== undefined && !Array.isArray(answer);
  process.nextTick(() => (isError ? cb(answer) : cb(null, answer || [])));
};

module.exports = { createApp, pushed, answering };
