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
  // As for the other commands a relative folder begins at the current directory.
  return { store: 'embedded', path: path.resolve(folder), localFileSystem };
}

class Watching {
  #options;
  #channel = null;
  #onError;

  /** `onError(err)` hears why the service could not be started. */
  constructor(address, { prefix, hashTag }, onError) {
    this.#options = { ...optionsOf(address), events: true };
    if (prefix) this.#options.prefix = prefix;
    if (hashTag) this.#options.hashTag = hashTag;
    this.#onError = onError;
  }

  /** Watches a channel: an object with `on` and `close`. */
  watch(name) {
    if (this.#channel === null) {
      const GlobalChannel = require('../globalChannel');
      this.#channel = new GlobalChannel(NO_SERVERS, this.#options);
      this.#channel.promises.start().catch((err) => {
        this.#channel = null;
        this.#onError(err);
      });
    }
    return this.#channel.watch(name);
  }

  async close() {
    await this.#channel?.promises.stop(true);
  }
}

module.exports = { Watching };
