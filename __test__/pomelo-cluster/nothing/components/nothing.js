'use strict';

/** See ../index.js: pomelo wants a component in the folder. */

module.exports = function () {
  return { name: '__nothing__' };
};
