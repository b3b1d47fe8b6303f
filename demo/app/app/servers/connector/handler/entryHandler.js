'use strict';
/**
 * The requests of a client to its connector: enter as a user, ping.
 */

module.exports = (app) => ({
  /** Binds the user to this session and the session to one chat server. */
  enter({ uid, chat }, session, next) {
    session.bind(uid, (error) => {
      if (error) return next(error, { code: 500, message: error.message });
      session.set('chat', chat);
      session.pushAll((pushError) =>
        next(pushError, { code: pushError ? 500 : 200, connector: app.getServerId() }),
      );
    });
  },

  /** Answers on the client's socket, and so after every message that was pushed to it before. */
  ping(msg, session, next) {
    next(null, { code: 200 });
  },
});
