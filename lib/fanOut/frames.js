'use strict';

// Encodes a message once for all sessions that get it: the framework's Package, and the WebSocket frame around it. The
// bytes are never changed afterwards, because many sockets may still have them queued.

/** The first byte of a WebSocket frame: FIN set, opcode binary, not compressed. */
const FINAL_BINARY = 0x82;

module.exports = class Message {
  constructor(msg) {
    this.msg = msg;
    this.send = undefined;
    this.bare = undefined;
    this.framed = undefined;
  }

  /**
   * Returns the Package as bytes, encoded by the framework's own code: the `send` of a hybridsocket, called with a
   * `sendRaw` that captures its result. Returns undefined if that fails; the framework then reports the error.
   */
  packageBy(send) {
    if (send !== this.send) {
      this.send = send;
      this.framed = undefined;
      this.bare = capture(send, this.msg);
    }
    return this.bare;
  }

  /** Returns the Package as a WebSocket frame. Servers do not mask, so it is the same for all clients. */
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
