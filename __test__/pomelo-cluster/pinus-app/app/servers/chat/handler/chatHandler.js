'use strict';
/** pinus's form of demo/app's handler of the same name, with the service's promises. */

exports.default = (app) => {
  const { promises } = app.get('globalChannelService');

  return {
    async join({ channel }, session) {
      await promises.add(channel, session.uid, session.frontendId);
      return { code: 200 };
    },

    async leave({ channel }, session) {
      await promises.leave(channel, session.uid, session.frontendId);
      return { code: 200 };
    },
  };
};
