'use strict';
/**
 * The bytes that a frontend sends to a client, taken apart as they come: WebSocket frames (RFC 6455, and RFC 7692 with
 * the context kept from message to message) and in them pomelo's packages, or the packages alone. Written anew, so
 * that it shares no mistake with what is tested.
 */

const zlib = require('zlib');

const TYPES = { 1: 'handshake', 2: 'ack', 3: 'heartbeat', 4: 'data', 5: 'kick' };
const OPCODES = { 8: 'close', 9: 'ping', 10: 'pong' };
const WINDOW = 32768;
const EMPTY = Buffer.alloc(0);

/** Calls `item` with `{type, body, compressed}` for all that comes. */
class Decoder {
  constructor(kind, item) {
    this.read = kind === 'tcp' ? this.readPackage : this.readFrame;
    this.item = item;
    this.waiting = [];
    this.length = 0;
    // How many bytes there must be before it is worth looking.
    this.need = 1;
    this.parts = [];
    this.window = EMPTY;
  }

  push(chunk) {
    this.waiting.push(chunk);
    this.length += chunk.length;
    if (this.length < this.need) return;
    let bytes = Buffer.concat(this.waiting);
    this.need = 1;
    while (bytes.length >= this.need) {
      const used = this.read(bytes);
      if (used === 0) break;
      bytes = bytes.subarray(used);
      this.need = 1;
    }
    this.waiting = [bytes];
    this.length = bytes.length;
  }

  /** Whether there are at least so many; remembers it if not. */
  has(bytes, count) {
    if (bytes.length >= count) return true;
    this.need = count;
    return false;
  }

  readPackage(bytes, compressed = false) {
    if (!this.has(bytes, 4)) return 0;
    const end = 4 + bytes.readUIntBE(1, 3);
    if (!this.has(bytes, end)) return 0;
    const body = Buffer.from(bytes.subarray(4, end));
    this.item({ type: TYPES[bytes[0]] || `unknown ${bytes[0]}`, body, compressed });
    return end;
  }

  readFrame(bytes) {
    if (!this.has(bytes, 2)) return 0;
    const [first, second] = bytes;
    let length = second & 0x7f;
    let from = 2;
    if (length === 126) {
      if (!this.has(bytes, 4)) return 0;
      length = bytes.readUInt16BE(2);
      from = 4;
    } else if (length === 127) {
      if (!this.has(bytes, 10)) return 0;
      length = Number(bytes.readBigUInt64BE(2));
      from = 10;
    }
    if (!this.has(bytes, from + length)) return 0;
    const payload = bytes.subarray(from, from + length);
    if (second & 0x80 || first & 0x30) this.item({ type: 'bad frame', body: bytes });
    else this.frame(first & 0x0f, first >= 0x80, Boolean(first & 0x40), payload);
    return from + length;
  }

  frame(opcode, fin, compressed, payload) {
    if (OPCODES[opcode]) {
      this.item({ type: OPCODES[opcode], body: Buffer.from(payload) });
      return;
    }
    const begun = this.parts.length > 0;
    if (opcode > 2 || (opcode === 0) !== begun) this.item({ type: 'bad opcode', body: payload });
    this.parts.push({ compressed, payload: Buffer.from(payload) });
    if (!fin) return;
    const [head] = this.parts;
    const whole = Buffer.concat(this.parts.map((part) => part.payload));
    this.parts = [];
    this.message(head.compressed ? this.inflate(whole) : whole, head.compressed);
  }

  inflate(payload) {
    const dictionary = this.window.length > 0 ? { dictionary: this.window } : {};
    const options = { finishFlush: zlib.constants.Z_SYNC_FLUSH, ...dictionary };
    const tail = Buffer.from([0, 0, 0xff, 0xff]);
    const body = zlib.inflateRawSync(Buffer.concat([payload, tail]), options);
    this.window = Buffer.concat([this.window, body]).subarray(-WINDOW);
    return body;
  }

  /** Several packages may come in one message. */
  message(bytes, compressed) {
    const { need } = this;
    let rest = bytes;
    while (rest.length > 0) {
      const used = this.readPackage(rest, compressed);
      if (used === 0) {
        this.item({ type: 'bad package', body: rest });
        break;
      }
      rest = rest.subarray(used);
    }
    this.need = need;
  }
}

/** A message of a client; the mask is 0. */
function frame(payload) {
  const long = payload.length > 125;
  const head = Buffer.alloc(long ? 8 : 6);
  head[0] = 0x82;
  head[1] = 0x80 | (long ? 126 : payload.length);
  if (long) head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, payload]);
}

module.exports = { Decoder, frame };
