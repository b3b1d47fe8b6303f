'use strict';
/** pinus's form of demo/app's handler of the same name: methods that return promises. */

exports.default = (app) => ({
  async enter({ uid, chat }, session) {
    await session.abind(uid);
    session.set('chat', chat);
    await session.apushAll();
    return { code: 200, connector: app.getServerId() };
  },

  async ping() {
    return { code: 200 };
  },
});
