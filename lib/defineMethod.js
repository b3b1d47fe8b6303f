'use strict';

/** Adds a method to a class that is made elsewhere, such as the addon's: not enumerable, as methods of a class are. */
module.exports = function defineMethod({ prototype }, name, value) {
  Object.defineProperty(prototype, name, { value, writable: true, configurable: true });
};
