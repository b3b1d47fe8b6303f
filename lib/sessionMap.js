'use strict';

// Protects a frontend from uids that are names of Object.prototype (poison.js), in lists that 0.0.7 or the framework's
// own channels send: the object in which the framework looks sessions up by uid gets no prototype, so such a uid has no
// session, and the others in the list get the push. Neither framework calls a method of that object. Part of option
// `fanOut`: with `false` the framework is as it was.

const harmless = require('./harmless');

const apps = new WeakSet();

/** Does so when the server has started, if it is a frontend. Never throws. */
module.exports = function protectSessionMap(app) {
  harmless(() => {
    if (!apps.has(app) && typeof app.event?.once === 'function') {
      app.event.once('start_server', () => harmless(() => protect(app)));
      apps.add(app);
    }
  });
};

function protect(app) {
  // pomelo's component hides the service that has the sessions behind an object with the same methods.
  const found = app.get('sessionService');
  for (const service of [found, found?.service]) {
    const map = service?.uidMap;
    if (typeof map === 'object' && map !== null && isPlain(map)) {
      Object.setPrototypeOf(map, null);
    }
  }
}

function isPlain(object) {
  return Object.getPrototypeOf(object) === Object.prototype;
}
