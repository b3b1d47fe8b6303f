'use strict';

// The events of channels for the inspector (option --events): a service with option `events` that only watches. It is
// started by the first watch, so that an inspector without a watch opens no connection for it.

const path = require('path');

const EMBEDDED = 'embedded:';
const LOCAL = '?localFileSystem=true';

/** An app without servers: the service pushes nothing, and is no frontend. */
const NO_SERVERS = {
  getServersByType: () => [],
  getServers: () => ({}),
  isFrontend: () => false,
  rpcInvoke() {},
};

/** Returns the options of a service for an address of the command line (docs/CLI.md). */
function optionsOf(address) {
  if (!address.startsWith(EMBEDDED)) return { url: address };
  const place = address.slice(EMBEDDED.length);
  const localFileSystem = place.endsWith(LOCAL);
  const folder = localFileSystem ? place.slice(0, -LOCAL.length) : place;
  // As for the other commands a relative folder begins at the current directory, and with their durability: a process opens a
  // store once.
  return { store: 'embedded', path: path.resolve(folder), localFileSystem, durability: 'os' };
}

/** Time to reach the store, in ms. */
const START_TIMEOUT = 10000;

class Watching {
  #options;
  #channel = null;
  #warn;

  /** Called when the service could not be started: there are no events then. */
  onFailure = () => {};

  /** `warn(line)` hears what the service would write to a log. */
  constructor(address, { prefix, hashTag }, warn) {
    const quiet = () => {};
    const logger = { debug: quiet, info: quiet, warn, error: warn };
    const more = { events: true, startTimeout: START_TIMEOUT, logger };
    this.#options = { ...optionsOf(address), ...more };
    if (prefix) this.#options.prefix = prefix;
    if (hashTag) this.#options.hashTag = hashTag;
    this.#warn = warn;
  }

  /** Watches a channel: an object with `on` and `close`. */
  watch(name) {
    if (this.#channel === null) this.#start();
    return this.#channel.watch(name);
  }

  #start() {
    const GlobalChannel = require('../globalChannel');
    const channel = new GlobalChannel(NO_SERVERS, this.#options);
    this.#channel = channel;
    channel.promises.start().catch((err) => {
      if (this.#channel === channel) this.#channel = null;
      this.#warn(err.message);
      this.onFailure();
    });
  }

  async close() {
    await this.#channel?.promises.stop(true);
  }
}

module.exports = { Watching };
