'use strict';

/**
 * Frontends of an app in this process: the stub of the app, with the session service of pomelo itself and the events that its
 * connector makes of it. The real connectors are in pomelo-cluster/sessions.test.js.
 */

const { EventEmitter } = require('events');
const logger = require('pomelo-logger');
const SessionService = require('pomelo/lib/common/service/sessionService');
const { createApp } = require('../support/app');
const { started } = require('../support/service');

// pomelo tells of each session that is closed.
logger.setGlobalLogLevel('OFF');

let lastId = 0;

/** The app of the frontend `sid`; without one that of a backend. */
function frontendApp(sid, options) {
  const app = createApp(options);
  app.event = new EventEmitter();
  app.serverId = sid || 'backend-1';
  const { isFrontend } = app;
  app.isFrontend = (server) => (server ? isFrontend(server) : sid !== undefined);
  if (sid !== undefined) app.set('sessionService', new SessionService());
  return app;
}

/** A frontend with its service, started on `store`. */
async function startFrontend(store, sid, opts) {
  const app = frontendApp(sid);
  const service = await started(store, { sessions: true, ...opts }, app);
  return new Frontend(app, service);
}

class Frontend {
  constructor(app, service) {
    this.app = app;
    this.service = service;
    this.sessions = app.get('sessionService');
  }

  /** Opens a session, as pomelo's connector does, and binds it to a user. */
  login(uid) {
    const session = this.open();
    this.bind(session, uid);
    return session;
  }

  open() {
    lastId += 1;
    const socket = { disconnect() {}, emit() {}, on() {} };
    const session = this.sessions.create(lastId, this.app.serverId, socket);
    const tell = (name) => (told) => this.app.event.emit(name, told.id ? told : session);
    session.on('closed', tell('close_session'));
    session.on('bind', tell('bind_session'));
    session.on('unbind', tell('unbind_session'));
    return session;
  }

  bind(session, uid) {
    this.sessions.bind(session.id, uid, failing);
  }

  unbind(session) {
    this.sessions.unbind(session.id, session.uid, failing);
  }

  /** As the connector does when the client has gone. */
  close(session) {
    session.closed('gone');
  }

  kick(uid) {
    this.sessions.kick(uid, failing);
  }
}

function failing(err) {
  if (err) throw err;
}

module.exports = { Frontend, frontendApp, startFrontend };
