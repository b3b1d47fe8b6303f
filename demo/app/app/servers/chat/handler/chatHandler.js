'use strict';
/**
 * What a client may ask of a chat server: to join and to leave a channel. The member's frontend
 * is the connector that holds the session. Pushes come from the server's own logic (control.js).
 */

module.exports = (app) => {
  const service = () => app.get('globalChannelService');
  const answer = (next) => (error) =>
    next(null, error ? { code: 500, message: error.message } : { code: 200 });

  return {
    join({ channel }, session, next) {
      service().add(channel, session.uid, session.frontendId, answer(next));
    },

    leave({ channel }, session, next) {
      service().leave(channel, session.uid, session.frontendId, answer(next));
    },
  };
};
