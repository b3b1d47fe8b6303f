'use strict';

// What a pushing server remembers of one frontend's lists, by channel: that it was pushed to, and then
// the list that the frontend has and its number. Bounded in bytes; the one that was used least recently
// goes first.

const { difference, isSame } = require('./difference');
const { bytesOf, limits } = require('./protocol');

/** What a channel takes without its list. */
const BARE = 200;

/** Of one process, for all of its frontends. */
let lastNumber = 0;

/** `maxBytes()` is asked at each addition. */
module.exports = function createKnown(maxBytes) {
  /** By the channel's name: `{list, number, bytes}`; without a list, number is 0. */
  const channels = new Map();
  let bytes = 0;

  return { find, add, describe, unknown, unknownAll, clear, bytes: () => bytes };

  /** What is remembered of a channel that was pushed to before, now the most recently used. */
  function find(name) {
    const channel = channels.get(name);
    if (channel) {
      channels.delete(name);
      channels.set(name, channel);
    }
    return channel;
  }

  function add(name) {
    const channel = { name, list: undefined, number: 0, bytes: BARE + 2 * name.length };
    channels.set(name, channel);
    bytes += channel.bytes;
    shrink();
  }

  /**
   * How `uids` are told to a frontend: the last arguments of a push. It is then taken to know them.
   * `isFixed`: the array is never changed by anybody.
   */
  function describe(channel, uids, isFixed) {
    const { list, number } = channel;
    if (number > 0) {
      if (isFixed && list === uids) {
        return [number];
      }
      if (isSame(list, uids)) {
        // The same array the next time, perhaps: then it need not be looked at.
        if (isFixed) channel.list = uids;
        return [number];
      }
      const change = difference(list, uids, isFixed);
      if (change) {
        const { removed, added } = change;
        if (removed.length + added.length === 0) {
          keep(channel, uids, isFixed, number);
          return [number];
        }
        return [next(channel, uids, isFixed), null, number, removed, added];
      }
    }
    // A copy: the array is the frontend's end's own where RPCs stay in the process.
    return [next(channel, uids, isFixed), uids.slice()];
  }

  function next(channel, uids, isFixed) {
    lastNumber += 1;
    keep(channel, uids, isFixed, lastNumber);
    return lastNumber;
  }

  function keep(channel, uids, isFixed, number) {
    const size = BARE + 2 * channel.name.length + bytesOf(uids);
    bytes += size - channel.bytes;
    Object.assign(channel, { list: isFixed ? uids : uids.slice(), number, bytes: size });
    shrink();
  }

  /** Whether the frontend has that list is not known. */
  function unknown(channel, number) {
    if (channel.number === number) {
      const size = BARE + 2 * channel.name.length;
      if (channels.get(channel.name) === channel) bytes += size - channel.bytes;
      Object.assign(channel, { list: undefined, number: 0, bytes: size });
    }
  }

  /** The frontend has none of the lists. */
  function unknownAll() {
    for (const channel of channels.values()) unknown(channel, channel.number);
  }

  function clear() {
    channels.clear();
    bytes = 0;
  }

  function shrink() {
    const most = Math.min(maxBytes(), limits.pusherBytes);
    for (const [name, oldest] of channels) {
      if (bytes <= most) break;
      channels.delete(name);
      bytes -= oldest.bytes;
    }
  }
};
