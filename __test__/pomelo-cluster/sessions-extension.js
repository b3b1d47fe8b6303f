'use strict';

/** What sessions.test.js wants to see and to do inside the servers of its clusters. */

const service = (app) => app.get('sessionService');

/** The bound sessions of this connector with this uid, or all of them. */
function bound(app, uid) {
  const found = [];
  service(app).forEachBindedSession((session) => {
    if (uid === undefined || String(session.uid) === uid) found.push(session);
  });
  return found;
}

module.exports = {
  uids: (app) => bound(app).map((session) => String(session.uid)),
  kick: (app, uid) => new Promise((resolve) => service(app).kick(uid, () => resolve(null))),
  unbind: (app, uid) => {
    const [session] = bound(app, uid);
    return new Promise((resolve, reject) =>
      service(app).unbind(session.id, session.uid, (err) => (err ? reject(err) : resolve(null))),
    );
  },
  stats: (app) => app.get('globalChannelService').stats().sessions,
};
