'use strict';

/**
 * The commands of the wire double. Each gets the double, the connection (undefined for a client that is not tracked)
 * and its arguments, and returns the reply. double.js sends the replies and the pushes.
 */

const { OK, status, failure, verbatim } = require('./resp');

const db = (connection) => (connection ? connection.db : 0);
const place = (connection, key) => `${db(connection)}/${key}`;
const NO_MEMBERS = new Set();

function setOf(double, connection, key) {
  return double.sets.get(place(connection, key)) || NO_MEMBERS;
}

/** Only commands that read are remembered for tracking, as in Redis. */
function reads(fn) {
  const command = (double, connection, keys) => {
    for (const key of keys) double.remember(connection, key);
    return fn(double, connection, keys);
  };
  return command;
}

const countThere = reads(
  (double, connection, keys) =>
    keys.filter((key) => setOf(double, connection, key).size > 0).length,
);

function change(double, connection, [key, ...members], method) {
  const set = new Set(setOf(double, connection, key));
  const before = set.size;
  for (const member of members) set[method](member);
  if (set.size > 0) double.sets.set(place(connection, key), set);
  else double.sets.delete(place(connection, key));
  if (set.size !== before) double.changed(connection, key);
  return Math.abs(set.size - before);
}

function remove(double, connection, keys) {
  const there = keys.filter((key) => double.sets.delete(place(connection, key)));
  for (const key of there) double.changed(connection, key);
  return there.length;
}

/** The server's name for itself, and what else HELLO tells. */
function hello(double, connection, args) {
  if (args.length > 0) connection.proto = Number(args[0]);
  const { server, version, mode, role } = double.persona;
  return new Map(
    Object.entries({
      server,
      version,
      proto: connection.proto,
      id: connection.id,
      mode,
      role,
      modules: [],
    }),
  );
}

function info({ persona, runId }) {
  const { version, mode, role, executable, moreInfo } = persona;
  const lines = [
    '# Server',
    `redis_version:${version}`,
    `redis_mode:${mode}`,
    `run_id:${runId}`,
    `executable:${executable}`,
    ...moreInfo,
    '# Persistence',
    'loading:0',
    '# Replication',
    `role:${role}`,
  ];
  return verbatim(`${lines.join('\r\n')}\r\n`);
}

const client = {
  ID: (double, connection) => connection.id,
  SETINFO: () => OK,
  SETNAME: () => OK,
  // A RESP2 connection answers OK as well, and never gets a push: that is Redis, too.
  TRACKING: (double, connection, [mode, option = '']) => {
    connection.tracking = mode.toUpperCase() === 'ON';
    connection.optin = connection.tracking && option.toUpperCase() === 'OPTIN';
    return OK;
  },
  TRACKINGINFO: (double, { tracking, optin, caching }) => {
    const flags = [tracking && double.persona.trackingWorks ? 'on' : 'off'];
    if (optin) flags.push('optin');
    if (caching) flags.push('caching-yes');
    return new Map([
      ['flags', new Set(flags)],
      ['redirect', tracking ? 0 : -1],
      ['prefixes', []],
    ]);
  },
  CACHING: (double, connection) => {
    if (!connection.optin) {
      return failure(
        'ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled',
      );
    }
    connection.caching = true;
    return OK;
  },
  KILL: (double, connection, [, id]) => double.kill(Number(id)),
};

module.exports = {
  AUTH: () => OK,
  CLIENT: (double, connection, [sub, ...args]) => {
    const command = client[sub.toUpperCase()];
    return command ? command(double, connection, args) : failure('ERR unknown subcommand');
  },
  DEL: remove,
  ECHO: (double, connection, [text]) => text,
  // The one script there is: it changes the keys that do not exist, and leaves them so.
  EVAL: (double, connection, [, , ...keys]) => {
    const gone = keys.filter((key) => setOf(double, connection, key).size === 0);
    for (const key of gone) double.changed(connection, key);
    return null;
  },
  EXISTS: countThere,
  FLUSHALL: (double, connection) => {
    double.sets.clear();
    double.changedAll(connection);
    return OK;
  },
  HELLO: hello,
  INFO: info,
  PING: () => status('PONG'),
  SADD: (double, connection, args) => change(double, connection, args, 'add'),
  SCAN: (double, connection) => [
    '0',
    [...double.sets.keys()]
      .filter((name) => name.startsWith(`${db(connection)}/`))
      .map((name) => name.slice(name.indexOf('/') + 1)),
  ],
  SELECT: (double, connection, [index]) => {
    if (!(Number(index) < 16)) return failure('ERR DB index is out of range');
    connection.db = Number(index);
    return OK;
  },
  SMEMBERS: reads((double, connection, [key]) => new Set(setOf(double, connection, key))),
  SREM: (double, connection, args) => change(double, connection, args, 'delete'),
  TOUCH: countThere,
  TYPE: reads((double, connection, [key]) =>
    status(setOf(double, connection, key).size > 0 ? 'set' : 'none'),
  ),
  UNLINK: remove,
};
