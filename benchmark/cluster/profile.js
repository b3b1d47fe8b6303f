'use strict';
/**
 * Whose time a CPU profile of a chat server shows: the plugin's, the framework's, or Node's own.
 * Time in Node's own functions counts for the file that called them. No other reading of profiles.
 */

const path = require('path');

const ROOT = path.resolve(__dirname, '../..');
const PACKAGE = /node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+)(?![\s\S]*node_modules)/;

/** 0.0.7 comes with its Redis client, ours has its own inside. */
const PLUGIN = new Set(['pomelo-globalchannel-plugin', 'redis', 'hiredis']);

/** What is no part of a push; to start and to end a profile takes a while as well. */
const LEFT_OUT = new Set(['idle', 'benchmark']);

/** null: nobody's own, ask the caller. */
function ownerOf({ functionName, url }) {
  if (functionName === '(idle)') return 'idle';
  if (functionName === '(garbage collector)') return 'garbage collector';
  if (url === '' || url.startsWith('node:')) return null;
  const file = url.replace(/^file:\/\//, '');
  if (file.startsWith(path.join(ROOT, 'benchmark')) || file.startsWith(path.join(ROOT, 'demo'))) {
    return 'benchmark';
  }
  // It lets go what the framework has written: the writes are the framework's.
  if (path.basename(file) === 'rpcNoDelay.js') return 'framework';
  const [, name] = PACKAGE.exec(file) || [];
  if (!name) return 'plugin';
  return PLUGIN.has(name) ? 'plugin' : 'framework';
}

/** `{plugin, framework, …}`, shares of the time in which the thread worked for the app. */
function share({ nodes, samples, timeDeltas }) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const owners = new Map();
  const visit = (id, inherited) => {
    const node = byId.get(id);
    const owner = ownerOf(node.callFrame) || inherited;
    owners.set(id, owner);
    for (const child of node.children || []) visit(child, owner);
  };
  // Node without any user's function below it: reading sockets, timers.
  visit(nodes[0].id, 'node itself');
  const times = {};
  samples.forEach((id, i) => {
    const owner = owners.get(id);
    times[owner] = (times[owner] || 0) + timeDeltas[i];
  });
  const busy = Object.entries(times).filter(([owner]) => !LEFT_OUT.has(owner));
  const total = busy.reduce((sum, [, time]) => sum + time, 0);
  return Object.fromEntries(busy.map(([owner, time]) => [owner, time / total]));
}

module.exports = { share };
