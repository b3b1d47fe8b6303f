'use strict';
/**
 * What a client may ask of its connector: to enter as a user. Channels are the chat server's.
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

  /** Answered on the client's own socket, hence after every message pushed to it before. */
  ping(msg, session, next) {
    next(null, { code: 200 });
  },
});
