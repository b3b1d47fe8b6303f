'use strict';

// The module `globalChannel` of pomelo-admin and pinus-admin, on the master and on all servers with the plugin: the master
// asks each server for its `stats()`. It is read-only, because the framework's access control does not guard modules of an
// app; and what it answers has no names of channels and no uids.

const { callbackify } = require('util');

const METHODS_SHOWN = 5;

/** How long the master waits for a server at most, in ms; pomelo-admin itself has no limit. */
const TIMEOUT = 2000;

const ID = 'globalChannel';

/** What is asked of a server: a notification, or a timer of the framework, has none and must not be answered. */
const STATS = 'stats';

/** Makes the module. `getChannel()` returns the service of this server, if there is one. */
function createModule(getChannel) {
  return {
    moduleId: ID,

    /** On a server: answers the master. */
    monitorHandler(agent, msg, cb) {
      if (msg?.ask !== STATS || typeof cb !== 'function') return;
      let stats;
      try {
        stats = getChannel()?.stats() ?? null;
      } catch (err) {
        // A service behind a wrapper of the app.
        cb(String(err));
        return;
      }
      cb(null, { stats });
    },

    /** On the master: answers a client of pomelo-admin. */
    clientHandler(agent, msg, cb) {
      summaries(agent, cb);
    },

    masterHandler() {},
  };
}

/**
 * Asks all servers; resolves to `{servers: [{id, serverType, stats}], silent: [id]}`, in the order of their ids. `silent` are those
 * that did not answer within `timeout` ms, or lack the module; servers without a service are in neither.
 */
async function collect(agent, timeout = TIMEOUT) {
  const ids = Object.keys(agent.idMap).sort();
  // A server may leave while others are waited for.
  const types = ids.map((id) => String(agent.idMap[id].type));
  const answers = await Promise.all(ids.map((id) => ask(agent, id, Math.min(timeout, TIMEOUT))));
  const servers = [];
  const silent = [];
  ids.forEach((id, at) => {
    const answer = answers[at];
    if (answer === undefined) silent.push(id);
    else if (answer.stats) {
      servers.push({ id, serverType: types[at], stats: answer.stats });
    }
  });
  return { servers, silent };
}

const summaries = callbackify(async (agent) => {
  const { servers, silent } = await collect(agent);
  return { servers: servers.map(summary), silent };
});

/**
 * The answer that is waited for of each server, by its connection. pomelo-admin keeps the callback of a request that is never
 * answered, so a server that hangs is not asked again.
 */
const asked = new WeakMap();

function answerOf(agent, id) {
  const record = agent.idMap[id];
  if (!asked.has(record)) {
    let isAnswered = false;
    const answer = new Promise((resolve) => {
      const done = (err, given) => {
        isAnswered = true;
        asked.delete(record);
        resolve(err || typeof given !== 'object' || given === null ? undefined : given);
      };
      agent.request(id, ID, { ask: STATS }, done);
    });
    if (isAnswered) return answer;
    asked.set(record, answer);
  }
  return asked.get(record);
}

/** Resolves to the answer of a server, or to undefined. */
async function ask(agent, id, timeout) {
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, timeout);
  });
  try {
    return await Promise.race([answerOf(agent, id), late]);
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

/** What is shown of a server: all its figures, and before them what is looked for first. */
function summary({ id, serverType, stats }) {
  const { connection, sessions, latency } = stats;
  return {
    id,
    serverType,
    connection,
    lease: sessions?.lease ?? null,
    slowest: slowest(latency),
    stats,
  };
}

/** Returns the methods with the longest mean time, in ms. */
function slowest({ methods }) {
  const means = Object.entries(methods).map(([method, { count, sum }]) => ({
    method,
    count,
    mean: sum / count,
  }));
  return means.sort((a, b) => b.mean - a.mean).slice(0, METHODS_SHOWN);
}

module.exports = { ID, collect, createModule };
