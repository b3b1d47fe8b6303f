'use strict';

// Names for lists, the pushing server's end: a frontend is sent a long list of uids once, and then its number or a
// difference. This file selects the pushes that are worth it and keeps an object for each frontend: link.js is one of
// them, remote.js is the frontend's end.

const { textOf } = require('../ids');
const createLink = require('./link');
const listen = require('../serverNews');
const { VERSION, hello, limits, newToken, push } = require('./protocol');
const offerLists = require('./remote');

/** The number of frontends that are remembered; far more than an app has. */
const LINKS = 1000;

/**
 * Makes the pushing server's end. `rpc(sid, msg, answer)` calls a remote, and passes what it throws to `answer`;
 * `plain(target)` makes the framework's own RPC; `answered(target, err, failed)` takes the result of a push, which
 * counts only while `isOpen(target)`.
 */
module.exports = function createLists(app, { rpc, plain, optionsOf, answered, isOpen }) {
  const pusher = newToken();
  /** By the frontend's server id. */
  const links = new Map();
  const counts = { asked: 0, named: 0, changed: 0, whole: 0, refused: 0 };
  const share = () => limits.pusherBytes / Math.max(1, links.size);

  offerLists(app);
  let endNews;

  return { send, expired, close, stats };

  /** Sends one frontend's part of a push, `{push, sid, list, gone}`; link.js adds fields of its own to it. */
  function send(target) {
    const link = links.get(target.sid);
    const { list } = target;
    target.name = list && isLong(list) ? nameOf(target.push) : undefined;
    if (link) {
      target.link = link;
      link.send(target);
    } else if (target.name !== undefined) {
      target.link = linkTo(target.sid);
      target.link.send(target);
    } else {
      plain(target);
    }
  }

  function linkTo(sid) {
    endNews = endNews || listen(app, forgetServers);
    if (links.size >= LINKS) {
      const idle = [...links].find(([, each]) => each.isIdle());
      if (idle) forget(idle[0]);
    }
    const transport = {
      ask: (answer) => rpc(sid, hello(VERSION, pusher, serverId()), answer),
      call(token, epoch, target, users, answer) {
        const { route, msg } = target.push;
        const args = [token, pusher, epoch, route, msg, optionsOf(target.push), ...users];
        rpc(sid, push(args), answer);
      },
      plain,
      answered,
      isOpen,
    };
    const link = createLink(transport, share, counts);
    links.set(sid, link);
    return link;
  }

  function serverId() {
    try {
      return app.serverId;
    } catch {
      return undefined;
    }
  }

  function forgetServers(isGone) {
    [...links.keys()].filter(isGone).forEach(forget);
  }

  function forget(sid) {
    const link = links.get(sid);
    links.delete(sid);
    link?.close();
  }

  function expired(target) {
    target.link?.expired(target);
  }

  function close() {
    endNews?.();
    endNews = undefined;
    for (const sid of links.keys()) forget(sid);
  }

  function stats() {
    const all = [...links.values()];
    return {
      frontends: all.filter((link) => link.takesNames()).length,
      ...counts,
      bytes: all.reduce((sum, link) => sum + link.bytes(), 0),
      ...offerLists.size(app),
    };
  }
};

/** The bytes that a text takes in a list besides its characters: quotes and a comma. */
const AROUND = 3;

/**
 * Returns whether a list is long enough for a name. Only uids that JSON leaves unchanged are allowed in such a list; a
 * built-in store's list is immutable and has strings only.
 */
function isLong(list) {
  const { uids, isFixed } = list;
  if (!isFixed) {
    return Array.isArray(uids) && bytesOf(uids) >= limits.longBytes;
  }
  if (list.isLong === undefined) {
    // To look at each uid again takes longer than to push.
    list.isLong = uids.length * AROUND >= limits.longBytes || bytesOf(uids) >= limits.longBytes;
  }
  return list.isLong;
}

/** Returns the bytes of a list as JSON, about; NaN if a uid is neither a string nor an integer. */
function bytesOf(uids) {
  let bytes = 0;
  for (const uid of uids) {
    if (typeof uid === 'string') bytes += uid.length + AROUND;
    else if (Number.isSafeInteger(uid)) bytes += 8;
    else return NaN;
  }
  return bytes;
}

/** Returns the channel's name as a string; undefined for names that only a custom manager accepts. */
function nameOf({ name }) {
  return textOf(name);
}
