'use strict';

/** The address of a store of stores.js, as the command line takes it. */
module.exports = function addressOf(store) {
  const { path, port, db = 0, username, password } = store.options();
  if (path) return `embedded:${path}`;
  const user = username ? `${username}:${encodeURIComponent(password)}@` : '';
  return `redis://${user}127.0.0.1:${port}/${db}`;
};
