'use strict';
/**
 * What a client may ask of a chat server: to join and to leave a channel, and to say something in
 * one. The member's frontend is the connector that holds the session. Pushes of the server's own
 * logic come from control.js.
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

    /** Pushed to all members, the speaker as well; answered with the users whom it did not reach. */
    say({ channel, n, text }, session, next) {
      const message = { n, text, from: session.uid };
      service().pushMessage('connector', 'onChat', message, channel, {}, (error, failed) =>
        next(null, error ? { code: 500, message: error.message } : { code: 200, failed }),
      );
    },
  };
};
