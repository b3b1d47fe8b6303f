/**
 * Real usage of every public type, for `tsc -p .`; never run. `@ts-expect-error` marks wrong use,
 * which must not compile. Behaviour is tested in the other files.
 */

import * as plugin from '../index';
import { FanOutPushScheduler, GlobalChannel, components, createPinusPlugin } from '../index';
import type {
  Application,
  Callback,
  Channel,
  ChannelManager,
  ChannelManagerOption,
  EverywhereChannelManager,
  ChannelPromises,
  GlobalChannelError,
  GlobalChannelErrorCode,
  GlobalChannelOptions,
  GlobalChannelPromises,
  GlobalChannelStats,
  Id,
  MembersCallback,
  MembershipStats,
  ChannelEvents,
  EventLag,
  EventStats,
  PushCallback,
  Uid,
} from '../index';
import { promisify } from 'util';

/** Fails to compile unless A and B are exactly the same type. */
type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function same<A, B>(answer: Same<A, B>): void;
/** Takes anything. */
declare function use(...values: unknown[]): void;

// ---- the plugin object, in pomelo and in pinus

declare const pomeloApp: Application & {
  use(plugin: { components: string }, opts?: object): void;
};
declare const pinusApp: {
  use(plugin: { name: string; components?: unknown[] }, opts?: object): void;
};

pomeloApp.use(plugin, { globalChannel: { host: '127.0.0.1', port: 6379 } });
pinusApp.use(createPinusPlugin(), {
  globalChannel: { prefix: 'MY' } satisfies GlobalChannelOptions,
});
same<typeof components, string>(true);
same<ReturnType<typeof createPinusPlugin>['name'], string>(true);
use(new (createPinusPlugin().components[0]!)(pinusApp, {}));
// @ts-expect-error: pinus iterates components, a string is pomelo's form
pinusApp.use(plugin);
// @ts-expect-error: it takes no options; app.use does
createPinusPlugin({});

// ---- the application: what pomelo has is enough, a part of it is not

const app: Application = {
  getServersByType: (type) => (type === 'connector' ? [{ id: 's1' }] : undefined),
  getServers: () => ({ s1: { id: 's1', frontend: 'true' } }),
  isFrontend: (server) => server?.frontend === 'true',
  rpcInvoke: (sid, msg, cb) => cb(null, [sid, msg]),
  set: () => app,
  get: () => undefined,
};
const { rpcInvoke: _rpcInvoke, ...beforeAfterStart } = app;
use(new GlobalChannel(beforeAfterStart));
// @ts-expect-error: no getServers
use(new GlobalChannel({ getServersByType: app.getServersByType }));

// ---- options

const everyOption: GlobalChannelOptions = {
  host: 'localhost',
  port: 6379,
  path: '/run/redis.sock',
  url: 'redis://joe:secret@localhost:6379/2',
  db: 2,
  prefix: 'POMELO:CHANNEL',
  username: 'joe',
  password: 'secret',
  auth_pass: 'secret',
  tls: {
    ca: ['PEM', Buffer.from('PEM')],
    cert: 'PEM',
    key: Buffer.from('PEM'),
    servername: 'redis.example',
    rejectUnauthorized: false,
  },
  connectTimeout: 5000,
  commandTimeout: 5000,
  startTimeout: 30000,
  pushTimeout: 10000,
  maxQueue: 100000,
  cleanOnStartUp: true,
  enable_offline_queue: false,
  max_attempts: 2,
  retry_max_delay: 100,
  connect_timeout: 1000,
  cache: { maxBytes: 1 << 20 },
  rpcNoDelay: false,
  waitForStart: true,
  fanOut: { deflateThreshold: 2048, maxBuffered: 1 << 20, onSlow: 'close', lists: false },
};
const asInConfigFiles: GlobalChannelOptions = {
  port: '/run/redis.sock',
  db: '3',
  commandTimeout: '0',
  maxQueue: '10',
  max_attempts: false,
  retry_max_delay: '100',
  connect_timeout: false,
  cache: { maxBytes: '1000000' },
  fanOut: { deflateThreshold: '0', maxBuffered: '1000000', lists: 'false' },
  cleanOnStartUp: 'false',
  tls: '0',
  hashTag: '',
  sentinels: [],
  cluster: false,
  url: false,
  socket: { host: 'localhost', port: '6379', tls: 'true' },
  database: '3',
  enableOfflineQueue: 'true',
};
const embedded: GlobalChannelOptions = { store: 'embedded', path: 'data/channels' };
const embeddedInFull: GlobalChannelOptions = {
  ...embedded,
  durability: 'os',
  localFileSystem: true,
  cache: false,
  maxQueue: 10,
};
const cluster: GlobalChannelOptions = {
  cluster: [{ host: 'node-1', port: 7000 }, { host: 'node-2', port: '7000' }, { host: 'node-3' }],
  hashTag: true,
};
const clusterAsText: GlobalChannelOptions = { cluster: ['node-1:7000', '[::1]:7001'] };
const nothingGiven: GlobalChannelOptions = {
  store: null,
  durability: null,
  localFileSystem: null,
  host: null,
  port: null,
  path: null,
  url: null,
  cluster: null,
  hashTag: null,
  db: null,
  prefix: null,
  username: null,
  password: null,
  auth_pass: null,
  tls: { ca: null, cert: null, key: null, servername: null, rejectUnauthorized: null },
  connectTimeout: null,
  pushTimeout: null,
  channelManager: null,
  enable_offline_queue: null,
  max_attempts: null,
  cache: null,
  rpcNoDelay: null,
  waitForStart: null,
  fanOut: { deflateThreshold: null, maxBuffered: null, onSlow: null, lists: null },
  sentinels: null,
  name: null,
  sentinelUsername: null,
  sentinelPassword: null,
};
const sentinels: GlobalChannelOptions = {
  sentinels: [{ host: 'a', port: 26379 }, { host: 'b' }, { host: 'c', port: '26380' }, 'd:26379'],
  name: 'mymaster',
  sentinelUsername: 'look',
  sentinelPassword: 5,
  password: 'of the servers',
};
const others: GlobalChannelOptions = { no_ready_check: true, parser: 'javascript' };
const redis: GlobalChannelOptions = { store: 'redis', path: '/run/redis.sock' };
const asked: GlobalChannelOptions = {
  sentinels: ['a'],
  name: 'mymaster',
  username: async () => undefined,
  password: async () => ({ username: 'joe', password: 'secret', expiresAt: new Date() }),
  sentinelUsername: () => 'look',
  sentinelPassword: () => ({ password: 5, expiresAt: Date.now() }),
  sentinelTls: { ca: 'PEM', rejectUnauthorized: false },
  natMap: { '10.0.0.1:6379': { host: 'h', port: '7' }, '10.0.0.2:6379': 'h:7' },
};
const mapped: GlobalChannelOptions = {
  cluster: ['a'],
  auth_pass: () => 'secret',
  natMap: async (announced) => (announced.length > 5 ? { host: announced } : null),
};
const secured: GlobalChannelOptions = { url: 'rediss://h', tls: true };
for (const opts of [
  everyOption,
  asInConfigFiles,
  nothingGiven,
  others,
  redis,
  secured,
  sentinels,
  asked,
  mapped,
  null,
  undefined,
]) {
  use(new GlobalChannel(app, opts));
}
for (const opts of [cluster, clusterAsText]) use(new GlobalChannel(app, opts));
// @ts-expect-error: a list, of one node too
use(new GlobalChannel(app, { cluster: 'node-1:7000' }));
// @ts-expect-error: a node is somewhere
use(new GlobalChannel(app, { cluster: [{ port: 7000 }] }));
use(new GlobalChannel({ ...app, getBase: () => '/srv/game' }, embedded));
use(new GlobalChannel(app, embeddedInFull));
// @ts-expect-error
use(new GlobalChannel(app, { store: 'lmdb', path: 'data' }));
// @ts-expect-error
use(new GlobalChannel(app, { store: 'embedded', path: 'data', durability: 'disk' }));
// @ts-expect-error
use(new GlobalChannel(app, { store: 'embedded', path: 'data', localFileSystem: 'yes' }));
// @ts-expect-error
use(new GlobalChannel({ ...app, getBase: '/srv/game' }, embedded));
// @ts-expect-error
use(new GlobalChannel(app, { host: 5 }));
// @ts-expect-error
use(new GlobalChannel(app, { port: true }));
use(new GlobalChannel(app, { password: 12345 }));
// @ts-expect-error
use(new GlobalChannel(app, { sentinels: 'a:26379', name: 'mymaster' }));
// @ts-expect-error
use(new GlobalChannel(app, { sentinels: [{ port: 26379 }], name: 'mymaster' }));
// @ts-expect-error
use(new GlobalChannel(app, { password: true }));
// @ts-expect-error: no field `token`
use(new GlobalChannel(app, { password: () => ({ token: 'x' }) }));
// @ts-expect-error: the address is a text
use(new GlobalChannel(app, { cluster: ['a'], natMap: (announced: number) => `${announced}` }));
// @ts-expect-error
use(new GlobalChannel(app, { commandTimeout: true }));
// @ts-expect-error
use(new GlobalChannel(app, { cleanOnStartUp: 'yes' }));
// @ts-expect-error
use(new GlobalChannel(app, { enable_offline_queue: 0 }));
// @ts-expect-error
use(new GlobalChannel(app, { channelManager: 'redis' }));
use(new GlobalChannel(app, { cache: false }));
// @ts-expect-error
use(new GlobalChannel(app, { cache: 64 }));
// @ts-expect-error
use(new GlobalChannel(app, { rpcNoDelay: 0 }));
// @ts-expect-error: no app
use(new GlobalChannel());

// ---- the service and its callbacks

const channel = new GlobalChannel(app, everyOption);
same<typeof channel.state, 0 | 1 | 2>(true);
same<typeof channel.cleanOnStartUp, boolean | undefined>(true);
same<typeof channel.opts, GlobalChannelOptions>(true);
same<typeof channel.promises, GlobalChannelPromises>(true);
if ('path' in channel.manager) {
  const { prefix, path }: { prefix: string; path: string } = channel.manager;
  use(prefix, path);
} else if ('db' in channel.manager) {
  const { prefix, db }: { prefix: string; db: number | string } = channel.manager;
  console.log(prefix, Number(db));
} else channel.manager.add('n', 'u', 's', () => undefined);
// @ts-expect-error
channel.state = 1;
// @ts-expect-error
channel.promises = {} as GlobalChannelPromises;

const done: Callback = (err) => {
  if (err) console.error(err.code, err.message, err.cause);
};
const members: MembersCallback = (err, uids) => {
  if (!err) for (const uid of uids) console.log(uid.length);
};
const pushed: PushCallback = (_err, failedUids) => failedUids.map((uid) => uid.toUpperCase());

channel.start(done);
channel.start();
channel.stop(true, () => undefined);
channel.stop(() => undefined);
channel.stop(false);
channel.stop();

const uids: Uid[] = ['u', 7, 7n, true, Buffer.from('u'), new Uint8Array(1)];
const ids: Id[] = ['n', 7, 7n, false];

/** As MongoDB's driver declares its ObjectId. */
declare class ObjectId {
  get _bsontype(): 'ObjectId';
  toString(encoding?: 'hex' | 'base64'): string;
}
channel.add(new ObjectId(), [new ObjectId(), 'u'], new ObjectId());
channel.add('n', uids, 's1', done);
channel.leave('n', uids, 's1', done);
for (const uid of uids) channel.add('n', uid, 's1');
for (const id of ids)
  channel.leave(id, 'u', id, (err) => same<typeof err, GlobalChannelError | null>(true));
channel.getMembersBySid('n', 's1', members);
channel.getMembersBySid('n', 's1');
channel.getCountBySid('n', 's1');
channel.getCountBySid('n', 's1', (err, count) => use(err, count.toFixed()));
channel.getCount('n', 'connector', (err, count) => use(err, count.toFixed()));
channel.isMember('n', 7, 's1', (_err, is) => same<typeof is, boolean>(true));
channel.isMember('n', Buffer.from('u'), 's1');
channel.getSidsByUid('u', (_err, sids) => same<typeof sids, string[]>(true));
channel.getSidsByUid(['u', 7], (_err, sids) =>
  same<typeof sids, { [uid: string]: string[] }>(true),
);
channel
  .on('purged', ({ users, members }) => same<typeof users, typeof members>(true))
  .once('lease-lost', ({ sid }) => same<typeof sid, string>(true))
  .off('lease-regained', () => {});
// @ts-expect-error: there is no such event
channel.on('error', () => {});
same<GlobalChannelStats['membership'], MembershipStats | null>(true);
const watch = channel.watch(['a', 'b']);
watch
  .on('join', ({ name, sid, uids }) => same<typeof uids, (typeof name | typeof sid)[]>(true))
  .once('destroy', ({ count }) => same<typeof count, number>(true))
  .on('gap', ({ reason }) => same<typeof reason, ChannelEvents['gap']['reason']>(true));
channel.watch({ prefix: 'room-' }).close();
// @ts-expect-error: there is no such event
watch.on('purged', () => {});
// @ts-expect-error: names, or a prefix
channel.watch({ name: 'a' });
same<GlobalChannelStats['events'], EventStats | null>(true);
same<EventStats['lag'], EventLag>(true);
channel.isOnline(7, (_err, is) => same<typeof is, boolean>(true));
channel.isOnline(['u'], (_err, are) => same<typeof are, { [uid: string]: boolean }>(true));
channel.getOnlineCount(null, (_err, count) => same<typeof count, number>(true));
channel.pushMessageByUids('connector', 'onMail', {}, ['u'], (_err, failed) => use(failed.length));
// @ts-expect-error: the type of servers, or null for all
channel.getOnlineCount((_err, count) => use(count));
// @ts-expect-error: one uid
channel.isMember('n', ['u'], 's1');
channel.scanMembers('n', 's1', { limit: 5, cursor: null }, (_err, page) =>
  same<typeof page.members, string[]>(true),
);
channel.scanMembers('n', 's1', (_err, page) => same<typeof page.cursor, string | null>(true));
channel.getChannels((_err, page) => use(page.channels.map(({ name, count }) => name + count)));
channel.getChannels({ match: 'a*', cursor: null }, (err) => use(err));
// @ts-expect-error: a cursor is a text
channel.scanMembers('n', 's1', { cursor: 7 });
// @ts-expect-error: members have no names
channel.scanMembers('n', 's1', { match: 'a*' });
channel.add(['n', 7], ['u'], 's1');
channel.addMany('n', [{ uid: 7, sid: 's1' }], (err, count) => use(err, count.toFixed()));
channel.leaveMany('n', []);
// @ts-expect-error: the sid is missing
channel.addMany('n', [{ uid: 'u' }]);
channel.leave(['n'], 'u', 's1');
channel.destroyChannel(['n', 'm']);
channel.destroyChannel(['n', 'm'], { everywhere: true });
channel.destroyChannel('n', { everywhere: true }, done);
channel.destroyChannel('n', null, done);
// @ts-expect-error: no boolean
channel.destroyChannel('n', { everywhere: 'yes' });
channel.leave('n', 'u', null, done);
channel.getCount('n', null, (_err, count) => same<typeof count, number>(true));
channel.isMember('n', 'u', null, (_err, is) => same<typeof is, boolean>(true));
// @ts-expect-error: one frontend
channel.add('n', 'u', null);
channel.getMembersByChannelNameBySid('connector', 'n', (_err, lists) =>
  same<(typeof lists)[string], string[]>(true),
);
channel.getMembersByChannelNameBySid('connector', ['n'], (_err, lists) =>
  same<(typeof lists)[string][string], string[]>(true),
);
channel.getMembersByChannelName('connector', 'n', (_err, list) =>
  same<typeof list, string[]>(true),
);
channel.pushMessage('connector', 'onChat', { t: 1 }, 'n', { filter: 1 }, pushed);
channel.pushMessage('connector', 'onChat', null, 'n', null, pushed);
channel.pushMessage('connector', 'onChat', undefined, 'n', pushed);
channel.pushMessage('connector', 'onChat', {}, 'n', (err, failedUids) => {
  same<typeof err, GlobalChannelError | null>(true);
  same<typeof failedUids, string[]>(true);
});
channel.pushMessage('connector', 'onChat', {}, 'n', {}, (_err, failedUids) =>
  same<typeof failedUids, string[]>(true),
);
class Filter {
  constructor(readonly level: number) {}
}
interface Named {
  readonly filter: string;
}
const named: Named = { filter: 'x' };
const untyped: any = { filter: 'x' };
for (const opts of [new Filter(1), named, untyped, [1]]) {
  channel.pushMessage('connector', 'onChat', {}, 'n', opts, (_err, failedUids) =>
    same<typeof failedUids, string[]>(true),
  );
}
channel.pushMessage('connector', 'onChat', 'text', 'n');
channel.destroyChannel('n', done);
channel.clean(done);
// @ts-expect-error: no sid
channel.add('n', 'u');
// @ts-expect-error
channel.add('n', undefined, 's1');
// @ts-expect-error
channel.add('n', { id: 1 }, 's1');
// @ts-expect-error: an array in an array
channel.leave('n', [['u']], 's1');
// @ts-expect-error
channel.add(null, 'u', 's1');
// @ts-expect-error: a name is no Buffer
channel.getMembersBySid(Buffer.from('n'), 's1');
// @ts-expect-error: the server type comes first
channel.getMembersByChannelName('n', members);
// @ts-expect-error: opts is an object
channel.pushMessage('connector', 'onChat', {}, 'n', 'opts', pushed);
// @ts-expect-error: the list is of strings
channel.getMembersBySid('n', 's1', (_err, list: number[]) => list);

// ---- wrong callbacks, inline: an optional argument before a callback takes no function

// @ts-expect-error: the list is of strings
channel.pushMessage('connector', 'onChat', {}, 'n', (_err, list: number[]) => list);
// @ts-expect-error: the same behind opts
channel.pushMessage('connector', 'onChat', {}, 'n', {}, (_err, list: number[]) => list);
// @ts-expect-error: the error comes first
channel.pushMessage('connector', 'onChat', {}, 'n', (list: string[]) => list);
// @ts-expect-error: no third argument
channel.pushMessage('connector', 'onChat', {}, 'n', (_err, list, more) => [list, more]);
// @ts-expect-error: two callbacks
channel.pushMessage('connector', 'onChat', {}, 'n', pushed, pushed);
// @ts-expect-error: a class is no options
channel.pushMessage('connector', 'onChat', {}, 'n', Filter, pushed);
// @ts-expect-error: the callback of stop has no arguments
channel.stop((err: Error) => err);
// @ts-expect-error: the same behind force
channel.stop(true, (err: Error) => err);
// @ts-expect-error: no second argument
channel.start((err, more) => [err, more]);
// @ts-expect-error: the count is a number
channel.getCountBySid('n', 's1', (_err, count: string) => count);
// @ts-expect-error: promises take no callback
void channel.promises.pushMessage('connector', 'onChat', {}, 'n', pushed);
// @ts-expect-error: the same in the place after opts
void channel.promises.pushMessage('connector', 'onChat', {}, 'n', {}, pushed);
const scheduler = new FanOutPushScheduler(app);
scheduler.schedule(null, 'onChat', Buffer.from(''), [1], { type: 'push' }, (err) => use(err));
// @ts-expect-error: opts are not left out
scheduler.schedule(null, 'onChat', Buffer.from(''), [1], (err: Error) => err);
void scheduler.stop((): void => undefined);
// @ts-expect-error: the callback of stop has no arguments
void scheduler.stop((err: Error) => err);

// ---- one channel

const room: Channel = channel.channel('n');
same<typeof room.promises, ChannelPromises>(true);
use(channel.channel(7).name);
room.add(uids, 's1', (err) => same<typeof err, GlobalChannelError | null>(true));
room.leave('u', 's1');
room.getMembersBySid('s1', (_err, list) => same<typeof list, string[]>(true));
room.getCountBySid('s1', (_err, count) => same<typeof count, number>(true));
room.getMembersByChannelName('connector', (_err, list) => same<typeof list, string[]>(true));
room.pushMessage('connector', 'onChat', {}, (_err, list) => same<typeof list, string[]>(true));
room.pushMessage('connector', 'onChat', {}, { filter: 1 }, (_err, list) =>
  same<typeof list, string[]>(true),
);
room.pushMessage('connector', 'onChat', {}, null, pushed);
room.destroyChannel(done);
// @ts-expect-error: the list is of strings
room.pushMessage('connector', 'onChat', {}, (_err, list: number[]) => list);
// @ts-expect-error: the name is given already
room.add('n', 'u', 's1', done);
// @ts-expect-error: clean is not about one channel
room.clean(done);
// @ts-expect-error
room.name = 'other';
void (room.promises.pushMessage('connector', 'onChat', {}) satisfies Promise<string[]>);
void (room.promises.getCountBySid('s1') satisfies Promise<number>);
// @ts-expect-error: promises take no callback
void room.promises.pushMessage('connector', 'onChat', {}, pushed);
// @ts-expect-error: a name
channel.channel();

// ---- stats

const stats: GlobalChannelStats = channel.stats();
same<typeof stats.connection, 'idle' | 'connecting' | 'connected' | 'closed'>(true);
same<typeof stats.commands.pushMessage, number>(true);
same<typeof stats.errors.ERR_GLOBAL_CHANNEL_STORE, number | undefined>(true);
same<typeof stats.cache.reason, string | null>(true);
same<NonNullable<typeof stats.lists>['named'], number>(true);
use(stats.latency.p99 * 1000, stats.cache.hits / (stats.cache.hits + stats.cache.misses));
// @ts-expect-error: no such method
use(stats.commands.start);
// @ts-expect-error: no such code
use(stats.errors.ERR_OTHER);

// ---- promises

async function withPromises({ promises }: GlobalChannel): Promise<void> {
  same<Awaited<ReturnType<typeof promises.add>>, number>(true);
  same<Awaited<ReturnType<typeof promises.pushMessage>>, string[]>(true);
  await promises.start();
  const added: number = await promises.add('n', ['u', 7], 's1');
  const left: number = await promises.leave('n', 'u', 's1');
  use(added, left, await promises.addMany('n', [{ uid: 'u', sid: 's1' }]));
  const list: string[] = await promises.getMembersBySid('n', 's1');
  const count: number = await promises.getCountBySid('n', 's1');
  const sum: number = await promises.getCount('n', 'connector');
  const is: boolean = await promises.isMember('n', 'u', 's1');
  const { members: some, cursor } = await promises.scanMembers('n', 's1', { limit: 10 });
  const { channels } = await promises.getChannels({ cursor });
  use(some.length, channels.length, (await channel.channel('n').promises.scanMembers('s1')).cursor);
  const bySid = await promises.getMembersByChannelNameBySid('connector', 'n');
  const byName = await promises.getMembersByChannelNameBySid('connector', ['n']);
  use(sum, is, bySid.s1?.length, byName.n?.s1?.length);
  use(count);
  const sids: string[] = await promises.getSidsByUid('u');
  const areOnline = await promises.isOnline(['u']);
  use(sids, areOnline.u === true, (await promises.getOnlineCount('connector')).toFixed());
  const all: string[] = await promises.getMembersByChannelName('connector', 'n');
  const failed: string[] = await promises.pushMessage('connector', 'onChat', {}, 'n');
  await promises.pushMessage('connector', 'onChat', {}, 'n', {
    filter: [...list, ...all, ...failed],
  });
  await promises.destroyChannel('n');
  await promises.clean();
  await promises.stop(true);
  await promises.stop();
  // @ts-expect-error: no callback
  await promises.add('n', 'u', 's1', done);
  // @ts-expect-error
  await promises.add('n');
}
use(withPromises);
void (promisify(channel.destroyChannel).call(channel, 'n') satisfies Promise<unknown>);

// ---- errors

const codes: Record<GlobalChannelErrorCode, string> = {
  ERR_GLOBAL_CHANNEL_INVALID_STATE: '',
  ERR_GLOBAL_CHANNEL_UNSUPPORTED: '',
  ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT: '',
  ERR_GLOBAL_CHANNEL_INVALID_OPTION: '',
  ERR_GLOBAL_CHANNEL_QUEUE_FULL: '',
  ERR_GLOBAL_CHANNEL_TIMEOUT: '',
  ERR_GLOBAL_CHANNEL_DISCONNECTED: '',
  ERR_GLOBAL_CHANNEL_UNREACHABLE: '',
  ERR_GLOBAL_CHANNEL_STOPPED: '',
  ERR_GLOBAL_CHANNEL_STORE: '',
  ERR_GLOBAL_CHANNEL_PUSH_FAILED: '',
  ERR_GLOBAL_CHANNEL_INTERNAL: '',
};
const isAway = (err: GlobalChannelError): boolean =>
  err instanceof Error && err.code === 'ERR_GLOBAL_CHANNEL_TIMEOUT';
// @ts-expect-error: no such code
const misspelt = (err: GlobalChannelError): boolean => err.code === 'ERR_GLOBAL_CHANNEL_TIMED_OUT';
use(codes, isAway, misspelt);

// ---- custom managers: an object, a factory, a class; anything that lacks a method is refused

class Memory implements ChannelManager {
  private readonly sets = new Map<string, Set<unknown>>();
  constructor(
    readonly app: Application,
    readonly opts: GlobalChannelOptions,
  ) {}
  add(name: string, uid: string, sid: string, cb: (err?: Error) => void): void {
    this.sets.set(`${name}:${sid}`, new Set([uid]));
    cb();
  }
  leave(name: string, uid: string, sid: string, cb: (err?: Error) => void): void {
    this.sets.get(`${name}:${sid}`)?.delete(uid);
    cb();
  }
  getMembersBySid(name: string, sid: string, cb: (err: null, members: unknown[]) => void): void {
    cb(null, [...(this.sets.get(`${name}:${sid}`) ?? [])]);
  }
  destroyChannel(_name: string, cb: (err?: Error) => void): void {
    cb();
  }
}
class WithLifeCycle extends Memory {
  start(cb: (err?: Error) => void): void {
    cb();
  }
  stop(_force: boolean | undefined, cb: () => void): void {
    cb();
  }
  clean(cb: () => void): void {
    cb();
  }
}
class Async implements ChannelManager {
  async add(_name: string, _uid: string, _sid: string) {
    return { acknowledged: true };
  }
  async leave(_name: string, _uid: string, _sid: string) {}
  async getMembersBySid(_name: string, _sid: string) {
    return ['alice'];
  }
  async getCountBySid(_name: string, _sid: string) {
    return 1;
  }
  async destroyChannel(_name: string) {}
}
use(new GlobalChannel(app, { channelManager: Async }));
class NoList extends Async implements ChannelManager {
  // @ts-expect-error
  async getMembersBySid(_name: string, _sid: string) {
    return new Set(['alice']);
  }
}
use(NoList);
class Everywhere implements EverywhereChannelManager {
  readonly everywhere = true;
  async add(_name: string, _uid: string, _sid: string) {}
  async leave(_name: string, _uid: string, _sid: string | null) {}
  async getMembersBySid(_name: string, _sid: string) {
    return ['alice'];
  }
  async destroyChannel(_name: string, { everywhere }: { everywhere: boolean }) {
    use(everywhere);
  }
}
use(new GlobalChannel(app, { channelManager: Everywhere }));
use(new GlobalChannel(app, { channelManager: new Everywhere() }));
use(new GlobalChannel(app, { channelManager: () => new Everywhere() }));
class NotSaid extends Async {
  async destroyChannel(_name: string, opts?: { everywhere: boolean }) {
    use(opts);
  }
  readonly everywhere = true;
}
// @ts-expect-error: one with everywhere: true is an EverywhereChannelManager
const notSaid: ChannelManager = new NotSaid();
use(notSaid);
const managers: ChannelManagerOption[] = [
  new Memory(app, {}),
  new WithLifeCycle(app, {}),
  Memory,
  WithLifeCycle,
  (theApp, opts) => new Memory(theApp, opts),
  () => undefined,
];
for (const channelManager of managers) use(new GlobalChannel(app, { channelManager }));
const { add, leave, destroyChannel } = Memory.prototype;
// @ts-expect-error: no getMembersBySid
use(new GlobalChannel(app, { channelManager: { add, leave, destroyChannel } }));
// @ts-expect-error: a factory of something else
use(new GlobalChannel(app, { channelManager: () => 'redis' }));
