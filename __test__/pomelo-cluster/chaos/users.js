'use strict';

/**
 * Users who come and go at random, and residents, who come again only when a fault has ended their sessions. Each session is in
 * all channels: `open()` are the sessions that have joined them, as
 * `uid sid`. Requests may fail during faults; a session then joins again as long as it is open.
 */

const { Client } = require('../../../demo/client');
const { pause } = require('../../support/until');

const USERS = 16;
const RESIDENTS = 4;
const MOST_SESSIONS = 40;
const LEAVING = ['reconnect', 'logout', 'kick', 'late add'];

/** `tools` are `{cluster, channels, faults, random}`. */
module.exports = function createUsers({ cluster, channels, faults, random }) {
  const uids = Array.from({ length: USERS }, (_, n) => `user-${n + 1}`);
  /** Sessions that have joined all channels. */
  const joined = new Set();
  const clients = new Set();
  const counts = { login: 0, logout: 0, reconnect: 0, kick: 0, 'late add': 0 };
  /** How often requests failed, by the reason. */
  const refused = {};
  const underWay = new Set();
  const state = { isOn: true, isClosed: false };

  const ACTIONS = {
    login: () => login(random.pick(uids), random.pick(cluster.connectors)),
    logout: () => any(async (client) => close(client)),
    reconnect: () =>
      any((client) => {
        close(client);
        return login(client.uid, placeOf(client));
      }),
    kick: () =>
      any(async ({ uid, connector }) => {
        if (!faults.isDisturbed(connector)) await cluster.ask(connector, 'kick', uid);
      }),
    'late add': () =>
      any(async (client) => {
        close(client);
        if (faults.isDisturbed('chat-1')) return;
        await cluster.call('chat-1', 'add', channels[0], client.uid, client.connector);
      }),
  };
  // More come than go, up to the limit.
  const LOGINS = Array(6).fill('login');
  const KINDS = [...LOGINS, 'reconnect', 'reconnect', 'logout', 'kick', 'late add'];

  return { run, stop, open, all, counts, refused, close: closeAll };

  async function run() {
    const residents = cluster.connectors.flatMap((connector) =>
      Array.from({ length: RESIDENTS }, (_, n) => reside(`resident-${n + 1}`, connector)),
    );
    await Promise.all([wander(), ...residents]);
  }

  /** Is there as long as the connector is. Joins once in each session: what is lost later is missed. */
  async function reside(uid, connector) {
    let isThere = false;
    let session;
    while ((state.isOn || !isThere) && !state.isClosed) {
      isThere = session !== undefined && clients.has(session) && joined.has(session);
      if (!isThere) session = await login(uid, connector).catch(refuse);
      await pause(100);
      forget();
    }
  }

  async function wander() {
    while (state.isOn) {
      const isFull = underWay.size + clients.size >= MOST_SESSIONS;
      const kind = random.pick(isFull ? LEAVING : KINDS);
      counts[kind] += 1;
      track(ACTIONS[kind]());
      await pause(random.between(20, 250));
      forget();
    }
  }

  function track(action) {
    const running = settled(action).then(() => {
      underWay.delete(running);
    });
    underWay.add(running);
  }

  async function settled(action) {
    try {
      await action;
    } catch (err) {
      refuse(err);
    }
  }

  /** `run` resolves when the residents are there; this when nothing else is under way. */
  async function stop() {
    state.isOn = false;
    while (underWay.size > 0) await Promise.all(underWay);
    forget();
  }

  async function any(act) {
    const others = [...clients].filter(({ uid }) => uids.includes(uid));
    if (others.length > 0) await act(random.pick(others));
  }

  function placeOf({ connector }) {
    return cluster.connectors.find(({ id }) => id === connector);
  }

  async function login(uid, connector) {
    const client = await Client.connect(connector, uid, 'chat-1');
    clients.add(client);
    while (!client.closed && clients.has(client)) {
      try {
        for (const channel of channels) await client.request('chat.chatHandler.join', { channel });
        if (clients.has(client)) joined.add(client);
        return client;
      } catch (err) {
        refuse(err);
        await pause(100);
      }
    }
    return client;
  }

  function refuse({ message }) {
    const reason = message.replace(/^user [^:]*: /, '').slice(0, 80);
    refused[reason] = (refused[reason] || 0) + 1;
  }

  function close(client) {
    clients.delete(client);
    joined.delete(client);
    client.close();
  }

  /** Ends all of it, whatever has become of the cluster. */
  function closeAll() {
    Object.assign(state, { isOn: false, isClosed: true });
    clients.forEach(close);
  }

  /** Forgets the sessions that others have closed. */
  function forget() {
    for (const client of clients) if (client.closed) close(client);
  }

  /** All sessions, also those that have not joined all channels yet. */
  function all() {
    return placesOf(clients);
  }

  function open() {
    forget();
    return placesOf(joined);
  }

  function placesOf(sessions) {
    return [...new Set([...sessions].map(({ uid, connector }) => `${uid} ${connector}`))].sort();
  }
};
