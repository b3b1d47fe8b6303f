'use strict';

/**
 * Stores of the chaos test with replicas, which take over: Sentinel and Redis Cluster. What a primary has acknowledged and not
 * replicated is lost with it, which is no fault of the plugin, so these primaries end only once their replicas have it all.
 */

const createLinks = require('./links');
const clusters = require('../../support/cluster');
const { Group, NAME, SOON } = require('../../support/sentinels');
const { pause, until } = require('../../support/until');

const HOST = '127.0.0.1';
const PATIENCE = 60000;

/** No write is taken any more, until the server ends or `client unpause`, and the replicas have all of them. */
async function still(server) {
  await server.run(0, 'client', 'pause', PATIENCE, 'write');
  const isReplicated = async () => {
    const info = await server.run(0, 'info', 'replication');
    const [, own] = /^master_repl_offset:(\d+)/m.exec(info);
    const theirs = [...info.matchAll(/state=online,offset=(\d+)/g)].map(([, offset]) => offset);
    return theirs.length > 0 && theirs.every((offset) => offset === own);
  };
  await until(isReplicated, 'replicas that have it all', PATIENCE);
}

/** A replica has the slots of its primary, and all nodes that live know it. Before that, a primary may come back without data. */
async function takenOver(nodes, replica) {
  const took = async () => (await nodes.primaries()).some(({ server }) => server === replica);
  await until(took, 'the replica to take over', PATIENCE);
  await nodes.settled();
}

/** `{announced address: the proxy's}` for a server. */
function natMapOf(links, id, ports) {
  const way = (port) => [`${HOST}:${port}`, { host: HOST, port: links.portOf(id, port) }];
  return Object.fromEntries(ports.map(way));
}

/** A primary with two replicas, and three sentinels; the connections to these are not disturbed. */
async function sentinel(ids) {
  const group = await Group.start({ downAfter: SOON });
  const ports = group.servers.map(({ port }) => port);
  const links = await createLinks(ids, ports);
  return {
    title: 'Sentinel',
    options: (id) => ({
      sentinels: group.sentinels.map(({ port }) => ({ host: HOST, port })),
      name: NAME,
      natMap: natMapOf(links, id, ports),
    }),
    members: async (key) => (await group.primary()).members(key),
    cut: links.cut,
    async close() {
      await links.close();
      await group.stop();
    },
    faults: ({ random, during, brief, some }) => {
      /** `end(primary)` makes the sentinels elect another one; `back` brings the first one back. */
      const failover = async (end, back) => {
        const primary = await group.primary();
        await during(['store'], async () => {
          await still(primary);
          const elected = group.nextPrimary(primary);
          elected.catch(() => {});
          await end(primary);
          await elected;
        });
        await pause(some());
        await back(primary);
        await group.rejoin(primary);
      };
      return {
        'primary killed': () =>
          failover(
            (primary) => primary.kill(),
            (primary) => primary.up(),
          ),
        'primary halted until another one is elected': () =>
          failover(
            (primary) => primary.pause(),
            (primary) => primary.resume(),
          ),
        'failover by an operator': () =>
          failover(
            () => group.failOver(),
            () => {},
          ),
        'primary halted within the lease': () =>
          during(['store'], async () => {
            const primary = await group.primary();
            primary.pause();
            await pause(brief());
            primary.resume();
          }),
        'a sentinel killed': async () => {
          const one = random.pick(group.sentinels);
          await one.kill();
          await pause(some());
          await one.up();
          await group.untilReady();
        },
      };
    },
  };
}

/** Three primaries with a replica each. */
async function cluster(ids) {
  const nodes = await clusters.start({ nodeTimeout: clusters.SOON });
  const ports = nodes.servers.map(({ port }) => port);
  const links = await createLinks(ids, ports);
  return {
    title: 'Redis Cluster',
    options: (id) => ({
      cluster: ports.map((port) => ({ host: HOST, port: links.portOf(id, port) })),
      natMap: natMapOf(links, id, ports),
    }),
    members: (key) => nodes.members(key),
    cut: links.cut,
    async close() {
      await links.close();
      await nodes.close();
    },
    faults: ({ random, during, brief, some }) => {
      const anyPrimary = async () => random.pick(await nodes.primaries()).server;
      /** `end(primary)` makes its replica take over; `back` brings it back. */
      const failover = async (end, back) => {
        const primary = await anyPrimary();
        const replica = await nodes.replicaOf(primary);
        await during(['store'], async () => {
          await still(primary);
          await end(primary);
          await takenOver(nodes, replica);
        });
        await pause(some());
        await back(primary);
        await nodes.settled();
      };
      return {
        'primary killed': () =>
          failover(
            (primary) => primary.kill(),
            (primary) => primary.up(),
          ),
        'primary halted until its replica takes over': () =>
          failover(
            (primary) => nodes.pause(primary),
            async (primary) => {
              nodes.resume(primary);
              const follows = async () => (await primary.run(0, 'role'))[0] === 'slave';
              await until(follows, 'the old primary to follow', PATIENCE);
              await primary.run(0, 'client', 'unpause');
            },
          ),
        'primary halted within the lease': () =>
          during(['store'], async () => {
            const primary = await anyPrimary();
            nodes.pause(primary);
            await pause(brief());
            nodes.resume(primary);
          }),
        'CLUSTER FAILOVER': () =>
          during(['store'], async () => {
            await nodes.handOver(await anyPrimary());
            await nodes.settled();
          }),
        'a slot moved': async () => {
          const { server } = random.pick(await nodes.primaries());
          await nodes.moveSlotOf('chaos:world:connector-1', server, () => pause(20));
        },
      };
    },
  };
}

module.exports = { sentinel, cluster, still, takenOver };
