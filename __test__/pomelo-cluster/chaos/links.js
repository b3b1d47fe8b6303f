'use strict';

/** The way of each server to its store: a proxy of its own to each port of the store, which a fault can cut or silence. */

const { proxy } = require('../../faults/wire');
const { pause } = require('../../support/until');

/** From each of `ids` to each of `ports`. */
module.exports = async function createLinks(ids, ports) {
  const links = new Map();
  try {
    for (const id of ids) {
      const wires = new Map();
      links.set(id, wires);
      for (const port of ports) wires.set(port, await proxy(port));
    }
  } catch (err) {
    await close();
    throw err;
  }
  return { portOf, cut, close };

  /** Where `id` finds the store's server at `port`. */
  function portOf(id, port) {
    return links.get(id).get(port).port;
  }

  /** Nothing passes for so long; then the connections break. */
  async function cut(id, ms) {
    const wires = [...links.get(id).values()];
    const silence = () => undefined;
    for (const wire of wires) Object.assign(wire, { toServer: silence, toClient: silence });
    await pause(ms);
    for (const wire of wires) {
      wire.open.forEach((socket) => socket.destroy());
      Object.assign(wire, { toServer: undefined, toClient: undefined });
    }
  }

  async function close() {
    const wires = [...links.values()].flatMap((each) => [...each.values()]);
    await Promise.all(wires.map((wire) => wire.close()));
  }
};
