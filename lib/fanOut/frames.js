'use strict';

// A message as bytes: the Package of the framework, and the WebSocket frame around it. Made once for all sessions that
// get the message, and never written to afterwards: many sockets may still hold it.

/** The first byte of a WebSocket frame: the only one of its message, binary, not compressed. */
const FINAL_BINARY = 0x82;

module.exports = class Message {
  constructor(msg) {
    this.msg = msg;
    this.send = undefined;
    this.bare = undefined;
    this.framed = undefined;
  }

  /**
   * The Package, as the `send` of a hybridsocket makes it and hands it to its `sendRaw`: so it is the framework's own
   * code that encodes. Nothing where it fails; then the framework may fail in its own way.
   */
  packageBy(send) {
    if (send !== this.send) {
      this.send = send;
      this.framed = undefined;
      this.bare = capture(send, this.msg);
    }
    return this.bare;
  }

  /** The frame of the Package. A server does not mask, so that it is the same for all clients. */
  frame() {
    if (this.framed === undefined) {
      this.framed = frameOf(this.bare);
    }
    return this.framed;
  }
};

function capture(send, msg) {
  let bytes;
  const sendRaw = (given) => {
    bytes = given;
  };
  try {
    send.call({ sendRaw }, msg);
  } catch {
    return undefined;
  }
  return Buffer.isBuffer(bytes) ? bytes : undefined;
}

function frameOf(payload) {
  const { length } = payload;
  const head = length < 126 ? 2 : length < 65536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(head + length);
  frame[0] = FINAL_BINARY;
  if (head === 2) {
    frame[1] = length;
  } else if (head === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  payload.copy(frame, head);
  return frame;
}
