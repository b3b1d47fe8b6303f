'use strict';
/**
 * A process full of real WebSocket clients (demo/client.js): connects some more when told to, and
 * says which pushes reached how many of them, and the last of them when. Times are milliseconds of
 * the system's monotonic clock, which all processes of one machine share. Started by round.js.
 */

const { monitorEventLoopDelay, performance } = require('perf_hooks');
const { connectClients } = require('../../demo/client');

// Enough to keep the connectors busy, not so many that handshakes time out.
const AT_ONCE = 30;

const toClock = Number(process.hrtime.bigint()) / 1e6 - performance.now();
const clients = [];
const delay = monitorEventLoopDelay({ resolution: 5 });

const commands = {
  /** Returns the new ones as `{uid, sid}`. */
  async connect({ cluster, count, prefix }) {
    const added = [];
    while (added.length < count) {
      const first = clients.length + added.length;
      // 16 bytes, as long as ids of databases and of UUIDs in base64 about are.
      const name = (n) => `${prefix}${String(first + n).padStart(16 - prefix.length, '0')}`;
      added.push(...(await connectClients(cluster, Math.min(AT_ONCE, count - added.length), name)));
    }
    clients.push(...added);
    return added.map(({ uid, connector }) => ({ uid, sid: connector }));
  },

  /** Forgets what came before, and starts to watch how late this process itself is. */
  begin() {
    for (const client of clients) client.messages.length = 0;
    delay.reset();
    delay.enable();
  },

  /** Waits for all that is on its way; `[[n, copies, time of the last], …]`. */
  async end() {
    delay.disable();
    await Promise.all(clients.map((client) => client.ping()));
    const arrived = new Map();
    for (const { messages } of clients) {
      for (const { n, at } of messages) {
        const { copies, last } = arrived.get(n) || { copies: 0, last: 0 };
        arrived.set(n, { copies: copies + 1, last: Math.max(last, at + toClock) });
      }
    }
    return {
      arrived: [...arrived].map(([n, { copies, last }]) => [n, copies, last]),
      // The resolution is what a timer that is in time reads.
      lag: { p50: delay.percentile(50) / 1e6 - 5, p99: delay.percentile(99) / 1e6 - 5 },
    };
  },

  close() {
    for (const client of clients) client.close();
  },
};

process.on('message', async ({ command, args }) => {
  try {
    process.send({ value: await commands[command](args) });
  } catch (error) {
    process.send({ error: error.stack });
  }
});
process.on('disconnect', () => process.exit(0));
process.on('SIGTERM', () => process.exit(0));
