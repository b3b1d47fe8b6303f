'use strict';

/**
 * A slow proxy in front of one server: what the server sends is delayed by 0-50 ms, what the client sends a little. Each
 * connection has delays of its own, which change over time; the order within a direction is kept. chaos.js cuts
 * connections.
 */

const { proxy } = require('../faults/wire');

const TO_CLIENT = 50;
const TO_SERVER = 4;

const random = (max) => Math.random() * max;

/** One direction of one connection: a level that lasts a while, with some jitter on each chunk. */
class Lane {
  constructor(to, max) {
    this.to = to;
    this.max = max;
    this.queue = [];
    this.level = 0;
    this.levelEnds = 0;
    this.last = 0;
  }

  delay(now) {
    if (now > this.levelEnds) {
      // Now and then no delay at all, which is when one connection overtakes another.
      this.level = Math.random() < 0.25 ? 0 : random(this.max);
      this.levelEnds = now + random(200);
    }
    return this.level * (0.8 + random(0.2));
  }

  /** `chunk` is undefined for the end of the stream, which waits its turn as well. */
  push(chunk) {
    const now = performance.now();
    this.last = Math.max(this.last, now + this.delay(now));
    this.queue.push({ chunk, due: this.last });
    if (this.queue.length === 1) this.wait();
  }

  wait() {
    this.timer = setTimeout(() => this.pass(), this.queue[0].due - performance.now());
  }

  pass() {
    // A timer may fire a little early.
    const now = performance.now() + 1;
    while (this.queue.length > 0 && this.queue[0].due <= now) {
      const { chunk } = this.queue.shift();
      if (this.to.destroyed) this.queue.length = 0;
      else if (chunk) this.to.write(chunk);
      else this.to.destroy();
    }
    if (this.queue.length > 0) this.wait();
  }

  stop() {
    clearTimeout(this.timer);
    this.queue.length = 0;
  }
}

/** `{port, links, alive(), close()}`, see wire.js; `alive()` are the links that are not cut. */
async function slowProxy(port) {
  const wire = await proxy(port);
  const lanes = new Map();
  const lanesOf = (link) => {
    if (!lanes.has(link)) {
      const pair = {
        toClient: new Lane(link.client, TO_CLIENT),
        toServer: new Lane(link.server, TO_SERVER),
      };
      lanes.set(link, pair);
      // What the server said before it hung up still arrives.
      link.held = true;
      link.server.on('close', () => pair.toClient.push());
      link.client.on('close', () => pair.toServer.push());
    }
    return lanes.get(link);
  };
  wire.toClient = (chunk, link) => void lanesOf(link).toClient.push(chunk);
  wire.toServer = (chunk, link) => void lanesOf(link).toServer.push(chunk);
  const close = wire.close;
  return Object.assign(wire, {
    alive: () => wire.links.filter(({ client, server }) => !client.destroyed && !server.destroyed),
    close() {
      for (const { toClient, toServer } of lanes.values()) {
        toClient.stop();
        toServer.stop();
      }
      return close();
    },
  });
}

module.exports = { slowProxy };
