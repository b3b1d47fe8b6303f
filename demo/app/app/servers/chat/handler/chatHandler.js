'use strict';
/**
 * The requests of a client to a chat server: join a channel, leave it, say something in it. The member's frontend is the
 * connector that holds the session. Pushes of game logic come from control.js.
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

    /** Pushes to all members, the sender included; answers with the users that the message did not reach. */
    say({ channel, n, text }, session, next) {
      const message = { n, text, from: session.uid };
      service().pushMessage('connector', 'onChat', message, channel, {}, (error, failed) =>
        next(null, error ? { code: 500, message: error.message } : { code: 200, failed }),
      );
    },
  };
};
