'use strict';

// Names for lists, the pushing server's end: a frontend is sent a long list of uids once, and then its number or a
// difference. This file selects the pushes that are worth it and keeps an object for each frontend: link.js is one of
// them, remote.js is the frontend's end.

const { textOf } = require('../ids');
const createLink = require('./link');
const listen = require('./news');
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

  /** Sends one frontend's part of a push, `{push, sid, uids, isFixed}`; link.js adds fields of its own to it. */
  function send(target) {
    const link = links.get(target.sid);
    target.name = isLong(target.uids, target.isFixed) ? nameOf(target.push) : undefined;
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
      call(token, epoch, target, list, answer) {
        const { route, msg } = target.push;
        const args = [token, pusher, epoch, route, msg, optionsOf(target.push), ...list];
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

/** Whether immutable lists are long: looking at each uid again for each push would take longer than the push. */
const measured = new WeakMap();

/**
 * Returns whether a list is long enough for a name. Only uids that JSON leaves unchanged are allowed in such a list.
 */
function isLong(uids, isFixed) {
  let bytes = 0;
  if (isFixed) {
    let known = measured.get(uids);
    if (known === undefined) {
      known = isLongText(uids);
      measured.set(uids, known);
    }
    return known;
  }
  if (!Array.isArray(uids)) {
    return false;
  }
  for (const uid of uids) {
    if (typeof uid === 'string') bytes += uid.length + 3;
    else if (Number.isSafeInteger(uid)) bytes += 8;
    else return false;
  }
  return bytes >= limits.longBytes;
}

/** A list of a built-in store has strings only, so the rest of a long list need not be looked at. */
function isLongText(uids) {
  let bytes = 0;
  for (let i = 0; i < uids.length && bytes < limits.longBytes; i += 1) {
    bytes += uids[i].length + 3;
  }
  return bytes >= limits.longBytes;
}

/** Returns the channel's name as a string; undefined for names that only a custom manager accepts. */
function nameOf({ name }) {
  return textOf(name);
}
