'use strict';

// Live joins and leaves: the events of one channel (docs/EVENTS.md) as server-sent events, for the page. A page that does
// not read is given no more events, and told so by a gap, in place of keeping them in memory.

const EVENTS = ['gap', 'join', 'leave', 'destroy', 'occupied', 'vacated'];

/** Channels that are watched at a time, by all pages together. */
const STREAMS = 8;

/** Uids of one event that are sent; an event may be about all members of a channel. */
const UIDS = 50;

/** Unsent bytes from which on events are dropped. */
const UNSENT = 256 * 1024;

/** Time between two comments that keep the connection in use, so that a page that is gone is noticed, in ms. */
const HEARTBEAT = 15000;

class Streams {
  #open = new Set();

  get full() {
    return this.#open.size >= STREAMS;
  }

  /** Sends the events of the watch that `watch()` begins until the page closes the connection. */
  open(response, headers, watch) {
    const watching = watch();
    const { socket } = response.req;
    // Node 16 ends a request that was not read to its end after its time limit.
    response.req.resume();
    response.writeHead(200, { ...headers, 'Content-Type': 'text/event-stream; charset=utf-8' });
    const stream = new Stream(response);
    for (const event of EVENTS) watching.on(event, (told) => stream.send(event, told));
    const beat = setInterval(() => response.write(':\n\n'), HEARTBEAT);
    this.#open.add(response);
    const end = () => {
      if (!this.#open.delete(response)) return;
      socket.removeListener('close', end);
      clearInterval(beat);
      watching.close();
    };
    response.once('close', end);
    // A response to a pipelined request has no socket until those before it have ended, and does not emit its close.
    socket.once('close', end);
    if (socket.destroyed) end();
    // The default since Node 18.
    response.socket?.setNoDelay(true);
    response.flushHeaders();
  }

  close() {
    for (const response of this.#open) response.end();
  }
}

class Stream {
  #response;
  #dropped = false;

  constructor(response) {
    this.#response = response;
  }

  send(event, { sid, uids, count, reason }) {
    if (this.#dropped) return;
    if (this.#response.writableLength > UNSENT) {
      this.#drop();
      return;
    }
    const told = { event, sid, reason };
    if (uids) Object.assign(told, { uids: uids.slice(0, UIDS), count: uids.length });
    if (count !== undefined) told.count = count;
    this.#response.write(`data: ${JSON.stringify(told)}\n\n`);
  }

  /** Drops events until what was written before is on its way. */
  #drop() {
    this.#dropped = true;
    this.#response.write(':\n\n', (err) => {
      this.#dropped = false;
      if (!err) this.send('gap', { reason: 'slow page' });
    });
  }
}

module.exports = { Streams };
