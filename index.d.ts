/**
 * Types of `pome-globalchannel-plugin`, written by hand. `tsc` checks them against real usage and compiles each
 * `@example`.
 *
 * A *global channel* is a named set of members `(name, uid, sid)` in a shared store, where `sid` is the id of the
 * frontend server (connector) that holds the user's session. "0.0.7" is `pomelo-globalchannel-plugin` 0.0.7, whose
 * behaviour this package keeps unless docs/MIGRATION.md says otherwise.
 */

/** A channel name or server id. As in pomelo, numbers, booleans and bigints are stored as their text. */
export type Id = string | number | bigint | boolean;

/**
 * A user id. A `Buffer` or `Uint8Array` is stored byte for byte, a string as UTF-8 (lone surrogates become U+FFFD).
 * Whatever is stored, lists of members contain strings.
 */
export type Uid = Id | Uint8Array;

/**
 * The error of every callback and of every rejected promise; the constructor throws it too. `message` keeps the
 * texts of 0.0.7.
 *
 * @example
 * ```ts
 * channel.add('room-1', 'alice', 'connector-1', (err) => {
 *   if (err && err.code === 'ERR_GLOBAL_CHANNEL_TIMEOUT') {
 *     console.error('Redis did not answer in time', err.cause);
 *   }
 * });
 * ```
 */
export interface GlobalChannelError extends Error {
  /** Stable, for programs; see {@link GlobalChannelErrorCode}. */
  code: GlobalChannelErrorCode;
  /** The reason, where known: the last error of the connection, the first failed RPC, … */
  cause?: unknown;
}

/**
 * The value of {@link GlobalChannelError.code}. The first four are given or thrown before the method
 * returns, the others come asynchronously.
 */
export type GlobalChannelErrorCode =
  /** `invalid state`: called before `start` succeeded or after `stop`. */
  | 'ERR_GLOBAL_CHANNEL_INVALID_STATE'
  /** An argument has a wrong type or is too long; the message names it. Nothing was written. */
  | 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT'
  /** Thrown by the constructor. The message names the option, its value and what is accepted. */
  | 'ERR_GLOBAL_CHANNEL_INVALID_OPTION'
  /** `maxQueue` calls are unanswered already. Nothing was written. */
  | 'ERR_GLOBAL_CHANNEL_QUEUE_FULL'
  /** The store did not answer within `commandTimeout`; whether the call took effect is unknown. */
  | 'ERR_GLOBAL_CHANNEL_TIMEOUT'
  /**
   * There is no connection and the call may not wait for one, or the connection was lost and the call may not be
   * sent again, or it was lost with this call repeatedly. Whether the call took effect is unknown.
   */
  | 'ERR_GLOBAL_CHANNEL_DISCONNECTED'
  /**
   * From `start`: no store was found within `startTimeout`, or before `max_attempts` or `connect_timeout` was reached.
   * Also a custom manager's `start` or `clean` without an answer within `startTimeout`.
   */
  | 'ERR_GLOBAL_CHANNEL_UNREACHABLE'
  /** `stop` was called, and the store did not answer within the drain time of 1 s. */
  | 'ERR_GLOBAL_CHANNEL_STOPPED'
  /**
   * The store answered with an error; `message` is its text (`WRONGTYPE …`), without secrets. From `start` also: a
   * TLS connection with these options is impossible (`TLS: …` says why).
   */
  | 'ERR_GLOBAL_CHANNEL_STORE'
  /** From `pushMessage`: `all frontend server push message fail`, no frontend took the push. */
  | 'ERR_GLOBAL_CHANNEL_PUSH_FAILED'
  /** A defect in this package; please report it. */
  | 'ERR_GLOBAL_CHANNEL_INTERNAL';

/**
 * The part of a pomelo or pinus application that the plugin uses. Without a framework, an object with these methods
 * is enough.
 *
 * @example
 * ```ts
 * import { GlobalChannel } from 'pome-globalchannel-plugin';
 * import type { Application } from 'pome-globalchannel-plugin';
 *
 * const app: Application = {
 *   getServersByType: (type) => (type === 'connector' ? [{ id: 'connector-1' }] : []),
 *   getServers: () => ({ 'connector-1': { id: 'connector-1', frontend: true } }),
 *   isFrontend: (server) => Boolean(server?.frontend),
 *   rpcInvoke: (sid, msg, cb) => cb(null, []), // send msg to the server `sid`
 *   set: () => undefined,
 *   get: () => undefined,
 * };
 * const channel = new GlobalChannel(app, { db: 3 });
 * channel.start((err) => console.log(err ?? 'started'));
 * ```
 */
export interface Application {
  /** All servers of a type, now. `undefined` counts as none. */
  getServersByType(serverType: string): Array<{ id: string }> | undefined;
  /** All servers by id, now; used by `destroyChannel`. */
  getServers(): { [sid: string]: any };
  /** Whether a server (without an argument: this process) is a frontend. */
  isFrontend(server?: any): boolean;
  /**
   * Calls a remote method on server `sid`. Looked up at each push, since pomelo defines it only when the app has
   * started.
   */
  rpcInvoke?(sid: string, msg: any, cb: (...args: any[]) => void): any;
  /** Used by `app.use` only. */
  set(key: string, value: any, attach?: boolean): any;
  /** Used by `app.use` only. */
  get(key: string): any;
  /** The folder of app.js, to which a relative `path` of the embedded store is relative. */
  getBase?(): string;
}

/** The callback of `add`, `leave`, `destroyChannel`, `clean` and `start`; `err` is `null` on success. */
export type Callback = (err: GlobalChannelError | null) => void;
/** `members` is a new array, free to be changed. With an error it is `undefined` or `null`. */
export type MembersCallback = (err: GlobalChannelError | null, members: string[]) => void;
/** `count`: how many members there are; 0 is no error. */
export type CountCallback = (err: GlobalChannelError | null, count: number) => void;
/** `failedUids`: the members who did not get the message, as strings, in no particular order. */
export type PushCallback = (err: GlobalChannelError | null, failedUids: string[]) => void;

/**
 * A custom store in place of the built-in ones (as in 0.0.7), for option `channelManager`. Arguments and answers are
 * passed through unchanged. `start`, `stop` and `clean` are optional.
 *
 * The first answer to a call counts, later ones are ignored. A call without an answer within `commandTimeout` fails
 * with `ERR_GLOBAL_CHANNEL_TIMEOUT`; `start` and `clean` have `startTimeout` and fail with
 * `ERR_GLOBAL_CHANNEL_UNREACHABLE`, `stop` has 1 s. A custom manager's own errors reach the callback unchanged; they
 * need no `code`.
 *
 * @example
 * ```ts
 * import type { ChannelManager } from 'pome-globalchannel-plugin';
 *
 * class MemoryManager implements ChannelManager {
 *   private readonly sets = new Map<string, Set<unknown>>();
 *   private members(name: string, sid: string) {
 *     const key = JSON.stringify([name, sid]);
 *     if (!this.sets.has(key)) this.sets.set(key, new Set());
 *     return this.sets.get(key)!;
 *   }
 *   add(name: string, uid: unknown, sid: string, cb: (err: Error | null) => void) {
 *     this.members(name, sid).add(uid);
 *     cb(null);
 *   }
 *   leave(name: string, uid: unknown, sid: string, cb: (err: Error | null) => void) {
 *     this.members(name, sid).delete(uid);
 *     cb(null);
 *   }
 *   getMembersBySid(name: string, sid: string, cb: (err: Error | null, members?: unknown[]) => void) {
 *     cb(null, [...this.members(name, sid)]);
 *   }
 *   destroyChannel(name: string, cb: (err: Error | null) => void) {
 *     for (const key of this.sets.keys()) if (JSON.parse(key)[0] === name) this.sets.delete(key);
 *     cb(null);
 *   }
 * }
 *
 * app.use(globalChannel, { globalChannel: { channelManager: MemoryManager } });
 * ```
 */
export interface ChannelManager {
  /** Called by `start` of the service. Without it, the service starts at once. */
  start?(cb: (err?: any) => void): void;
  /** Called by `stop`, after the calls under way were answered or 1 s has passed. */
  stop?(force: boolean | undefined, cb: (err?: any) => void): void;
  /** Removes all channels. Called by `clean`, and by `start` with `cleanOnStartUp`. */
  clean?(cb: (err?: any) => void): void;
  /** Adds a member. `uid` is what the caller gave, an array too. */
  add(name: any, uid: any, sid: any, cb: (err?: any) => void): void;
  /** Removes a member. `uid` is what the caller gave, an array too. */
  leave(name: any, uid: any, sid: any, cb: (err?: any) => void): void;
  /** Lists the members on one frontend. Pushes and `getMembersByChannelName` call it once per frontend. */
  getMembersBySid(name: any, sid: any, cb: (err: any, members?: any[]) => void): void;
  /** Counts the members on one frontend. If it is left out, the members of `getMembersBySid` are counted. */
  getCountBySid?(name: any, sid: any, cb: (err: any, count?: number) => void): void;
  /** Removes the channel on all frontends. */
  destroyChannel(name: any, cb: (err?: any) => void): void;
}

/**
 * A manager, a factory `(app, opts) => manager` (one that returns nothing selects the store of option `store`), or a
 * class or constructor function whose prototype has `add`, which is called with `new`.
 */
export type ChannelManagerOption =
  | ChannelManager
  | ((app: any, opts: GlobalChannelOptions) => ChannelManager | undefined | void)
  | (new (app: any, opts: GlobalChannelOptions) => ChannelManager);

/**
 * What an app passes as `{globalChannel: {…}}`. All options are optional; `null` means "not given". Times are in
 * milliseconds. Integers may be given as decimal strings, as config files often do. A wrong type or value makes the
 * constructor throw `ERR_GLOBAL_CHANNEL_INVALID_OPTION`; an unknown option is logged and ignored.
 *
 * `host`, `port`, `url`, `sentinels`, `name`, `sentinelUsername`, `sentinelPassword`, `sentinelTls`, `cluster`,
 * `natMap`, `hashTag`, `db`, `username`, `password`, `auth_pass` and `tls` are for `store: 'redis'`, `durability` and `localFileSystem` for
 * `store: 'embedded'`; with the other store they are an error. All other options mean the same for both.
 *
 * @example
 * One Redis:
 * ```ts
 * app.use(globalChannel, { globalChannel: { host: '10.0.0.5', port: 6379, db: 3, password: 'secret' } });
 * ```
 */
export interface GlobalChannelOptions {
  /**
   * Where the members are kept: in Redis, or in a folder that all processes of one machine open, without a server.
   *
   * Limits: in an embedded store a key (`prefix`, name and sid, with two colons) has at most 511 bytes of UTF-8, a uid
   * 503. In Redis either has at most 512 MB, and the uids of one call 1 GiB in all. What is longer is refused with
   * `ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT`.
   * @default 'redis'
   * @example
   * ```ts
   * app.use(globalChannel, { globalChannel: { store: 'embedded', path: 'channels', durability: 'os' } });
   * ```
   */
  store?: 'redis' | 'embedded' | null;
  /**
   * With Redis: the path of a Unix socket; excludes `host`, `port` and `url`.
   *
   * With `store: 'embedded'`: the folder of the store, on a local disk. Required; if it is missing, it is created, for
   * its owner only. A relative path is relative to the folder of app.js (`app.getBase()`), or to the current directory
   * if the app has none. URLs are not accepted, and `~` is not expanded.
   */
  path?: string | null;
  /**
   * What an acknowledged write survives in an embedded store.
   *
   * - `'process'`: the death of any or all processes. After a power cut, a crash of the system, or a reboot without a
   *   `stop`, the store begins empty (on Windows, where this cannot be detected, it may be damaged).
   * - `'os'`: these too; each commit waits for the disk.
   * @default 'process'
   */
  durability?: 'process' | 'os' | null;
  /**
   * `true` accepts a folder of the embedded store on a file system that is not known to be local, such as FUSE. It
   * asserts that all processes use one mount on one machine, and so see each other's locks and memory, as with the
   * folders that Docker Desktop shares. Where that is not true, processes that detect each other are refused with
   * `ERR_GLOBAL_CHANNEL_STORE`. @default false
   */
  localFileSystem?: boolean | null;
  /** The host name or address of Redis. @default '127.0.0.1' */
  host?: string | null;
  /** The port number of Redis or, as in 0.0.7, the path of a Unix socket. @default 6379 */
  port?: number | string | null;
  /**
   * `redis://[[user][:password]@]host[:port][/db]`, `rediss://…` for the same with TLS, or `unix:///path`; excludes
   * `host`, `port` and `path`. Accepted parameters, percent-encoded: `db`, `username` (or `user`), `password` (or
   * `pass`), and `tls` (or `ssl`) with `true` or `false`. Any other parameter, a `#fragment`, or two values for the
   * same thing are an error. Options `db`, `username` and `password` override the URL's.
   * @example
   * ```ts
   * app.use(globalChannel, { globalChannel: { url: 'redis://:secret@10.0.0.5:6379/3' } });
   * ```
   */
  url?: string | null;
  /**
   * Redis Sentinel: some or all of the sentinels, or a name that stands for them (all of its addresses are used). The
   * others are discovered by asking. The service connects to the primary, and to the new one after a failover. Excludes
   * `host`, `port`, `url`, `path` and `cluster`. `username`, `password` and `db` are those of the server. A port that
   * is left out is 26379. Fields other than `host` and `port` are an error.
   * @example
   * ```ts
   * app.use(globalChannel, {
   *   globalChannel: {
   *     sentinels: [{ host: '10.0.0.1' }, { host: '10.0.0.2', port: 26379 }, '10.0.0.3:26379'],
   *     name: 'mymaster',
   *     password: 'of the servers',
   *     sentinelPassword: 'of the sentinels',
   *   },
   * });
   * ```
   */
  sentinels?: Array<{ host: string; port?: number | string | null } | string> | null;
  /** The name of the primary at the sentinels; required with `sentinels`. */
  name?: string | null;
  /** ACL user at the sentinels, or a function that returns it. */
  sentinelUsername?: string | UsernameFunction | null;
  /** The password of the sentinels, if they need one, or a function that returns it. */
  sentinelPassword?: string | number | PasswordFunction | null;
  /**
   * TLS to the sentinels, apart from that to the server: `true`, `false`, or an object as option `tls`, of which nothing
   * applies to them then. @default as `tls`
   */
  sentinelTls?: boolean | TlsOptions | null;
  /**
   * Redis Cluster: some nodes, which tell the others. Excludes `host`, `port`, `url`, `path` and `sentinels`; `db` can
   * only be 0. Keys are the same as with one Redis, so that they spread over the nodes. The member cache is off.
   * @example
   * ```ts
   * app.use(globalChannel, {
   *   globalChannel: { cluster: [{ host: 'redis-1', port: 6379 }, 'redis-2:6379'], hashTag: true },
   * });
   * ```
   */
  cluster?: ReadonlyArray<string | { host: string; port?: number | string | null }> | null;
  /**
   * With `sentinels` or `cluster`: the addresses to use in place of those that sentinels and nodes announce, behind NAT or
   * in containers. A key is `'host:port'` as announced (an IPv6 address in brackets); an address without an entry, or
   * for which the function returns nothing, is used as it is.
   * @example
   * ```ts
   * app.use(globalChannel, {
   *   globalChannel: {
   *     cluster: ['redis.example:7001'],
   *     natMap: { '10.0.0.1:6379': { host: 'redis.example', port: 7001 }, '10.0.0.2:6379': 'redis.example:7002' },
   *   },
   * });
   * app.use(globalChannel, {
   *   globalChannel: {
   *     cluster: ['redis.example:7001'],
   *     natMap: (announced) => announced.replace('10.0.0.', 'node-'),
   *   },
   * });
   * ```
   */
  natMap?: { readonly [announced: string]: MappedAddress } | NatMapFunction | null;
  /**
   * `true`: keys are `PREFIX:{name}:sid` instead of `PREFIX:name:sid`, so that all keys of a channel are in one slot of
   * a Redis Cluster. Processes without this option, and 0.0.7, do not find such keys: all processes must have it, or
   * none. A channel name that is empty or begins with `}` is no hash tag for Redis, and is refused with
   * `ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT`. @default false
   */
  hashTag?: boolean | null;
  /** The number of the database in Redis. @default 0 */
  db?: number | string | null;
  /** The first part of every key, `PREFIX:name:sid`. @default 'POMELO:CHANNEL' */
  prefix?: string | null;
  /** The ACL user (Redis 6 or later), or a function that returns it. @default Redis's user `default` */
  username?: string | UsernameFunction | null;
  /**
   * The password of `username`, or a function that returns it, and that may say when it expires.
   * @example
   * ```ts
   * declare function getToken(): Promise<{ user: string; token: string; expires: Date }>;
   *
   * app.use(globalChannel, {
   *   globalChannel: {
   *     host: 'redis.example',
   *     password: async () => {
   *       const { user, token, expires } = await getToken();
   *       return { username: user, password: token, expiresAt: expires };
   *     },
   *   },
   * });
   * ```
   */
  password?: string | number | PasswordFunction | null;
  /** 0.0.7's name for `password`. */
  auth_pass?: string | number | PasswordFunction | null;
  /**
   * TLS on every connection, those to sentinels (unless `sentinelTls` is given) and cluster nodes included. `true` and
   * `{}` trust the CAs that the system and Node trust. Not with a Unix socket. @default false; true with a `rediss://` URL
   * @example
   * ```ts
   * import fs from 'node:fs';
   *
   * app.use(globalChannel, {
   *   globalChannel: {
   *     host: 'redis.example',
   *     port: 6380,
   *     tls: {
   *       ca: fs.readFileSync('ca.pem'),
   *       cert: fs.readFileSync('client.pem'), // only if the server asks for a client certificate
   *       key: fs.readFileSync('client-key.pem'),
   *     },
   *   },
   * });
   * ```
   */
  tls?: boolean | TlsOptions | null;
  /** Time for one attempt to connect, log in and select `db`. @default 5000 */
  connectTimeout?: number | string | null;
  /** Time from a call to its answer, queueing and reconnects included; 0 = no limit. @default 5000 */
  commandTimeout?: number | string | null;
  /** How long `start` tries to reach the store; 0 = for ever. @default 30000 */
  startTimeout?: number | string | null;
  /** How long a push waits for a frontend's answer to its RPC; 0 = for ever. @default 10000 */
  pushTimeout?: number | string | null;
  /** The maximum number of unanswered calls; further ones fail with `ERR_GLOBAL_CHANNEL_QUEUE_FULL`. @default 100000 */
  maxQueue?: number | string | null;
  /**
   * The member cache: lists are kept in memory, and read again when the store reports a change. Results are the same
   * as without it. `{maxBytes}` bounds its memory. It switches itself off, with one line in the log, where it cannot be
   * exact; {@link GlobalChannel.stats} has the reason. `false` reads the store each time.
   * @default true, with 64 MiB
   */
  cache?: boolean | { maxBytes?: number | string | null } | null;
  /**
   * Pushes do not wait for delayed TCP acknowledgements: `setNoDelay` on the sockets of the framework's RPCs, where
   * those are found. @default true
   */
  rpcNoDelay?: boolean | null;
  /**
   * On a frontend, a message for many sessions is encoded once and sent to all of them in one native call, unless the
   * app has a push scheduler of its own. Between servers, long lists of uids are sent once, and then referred to by
   * number. `false`: as the framework does it. @default true
   * @example
   * ```ts
   * app.use(globalChannel, {
   *   globalChannel: { url: 'redis://127.0.0.1:6379/3', fanOut: { maxBuffered: 4 << 20, onSlow: 'close' } },
   * });
   * ```
   */
  fanOut?: boolean | FanOutOptions | null;
  /** Remove all channels under `prefix` in the store before `start` calls back. @default false */
  cleanOnStartUp?: boolean;
  /**
   * A custom store in place of the one that the other options select; these are checked all the same.
   * @example
   * ```ts
   * import type { ChannelManager } from 'pome-globalchannel-plugin';
   *
   * declare class MyManager implements ChannelManager {
   *   constructor(app: unknown, opts: object);
   *   add(name: string, uid: unknown, sid: string, cb: (err?: Error) => void): void;
   *   leave(name: string, uid: unknown, sid: string, cb: (err?: Error) => void): void;
   *   getMembersBySid(name: string, sid: string, cb: (err: Error | null, members?: unknown[]) => void): void;
   *   destroyChannel(name: string, cb: (err?: Error) => void): void;
   * }
   *
   * app.use(globalChannel, { globalChannel: { channelManager: MyManager } }); // a class
   * app.use(globalChannel, {
   *   globalChannel: { channelManager: (theApp, opts) => new MyManager(theApp, opts) }, // a factory
   * });
   * ```
   */
  channelManager?: ChannelManagerOption | null;
  /**
   * As in node_redis. `false`: calls made while disconnected do not wait for a connection but fail with
   * `ERR_GLOBAL_CHANNEL_DISCONNECTED`, asynchronously and in call order. @default true
   */
  enable_offline_queue?: boolean | null;
  /** As in node_redis: give up after this number of failed attempts in a row; 0 = never. @default 0 */
  max_attempts?: number | string | false | null;
  /** As in node_redis: the longest pause between two attempts. @default 2000 */
  retry_max_delay?: number | string | false | null;
  /** As in node_redis: give up after this time without a connection; 0 = never. @default 0 */
  connect_timeout?: number | string | false | null;
  /**
   * The other options of node_redis 0.10 are accepted and have no effect; `return_buffers: true` is refused. Anything
   * else is logged and ignored.
   */
  [other: string]: any;
}

/** What a function for a password returns if it returns more than the password. */
export interface Credentials {
  /** The ACL user; in place of option `username`. */
  username?: string | null;
  /** The password. */
  password: string | number;
  /**
   * When the password expires, as a `Date` or in milliseconds since 1970: before that the function is called again, and
   * `AUTH` is sent on the live connection.
   */
  expiresAt?: Date | number | null;
}

/**
 * An option `password` or `sentinelPassword` that is a function. It is called at each attempt to connect. If it throws,
 * rejects or returns something else, or if the server refuses the password, connecting is tried again.
 */
export type PasswordFunction = () =>
  string | number | Credentials | PromiseLike<string | number | Credentials>;

/** An option `username` or `sentinelUsername` that is a function, as {@link PasswordFunction}. */
export type UsernameFunction = () =>
  string | null | undefined | PromiseLike<string | null | undefined>;

/** An address in option `natMap`. The port is the announced one if it is left out. */
export type MappedAddress = { host: string; port?: number | string | null } | string;

/** Option `natMap` as a function. */
export type NatMapFunction = (
  announced: string,
) => MappedAddress | null | undefined | PromiseLike<MappedAddress | null | undefined>;

/** Options `tls` and `sentinelTls`. Names and forms are those of Node's `tls.connect`; other fields are ignored, with a warning. */
export interface TlsOptions {
  /** The CAs to trust instead of the system's and Node's, in PEM: one text, which may hold several, or an array. */
  ca?: string | Uint8Array | Array<string | Uint8Array> | null;
  /** The client certificate in PEM, with intermediate certificates, for servers that ask for one. */
  cert?: string | Uint8Array | null;
  /** The key of `cert` in PEM, without a passphrase. */
  key?: string | Uint8Array | null;
  /** The name or address for which the server's certificate must be valid. @default the host */
  servername?: string | null;
  /** `false` disables TLS certificate verification: any server is accepted. Logged at each start. @default true */
  rejectUnauthorized?: boolean | null;
}

/**
 * The fields of option {@link GlobalChannelOptions.fanOut}; those that are left out have their defaults.
 *
 * @example
 * ```ts
 * import type { FanOutOptions } from 'pome-globalchannel-plugin';
 *
 * // Compress messages from 4 KB on, and close clients for which more than 1 MB is queued.
 * const fanOut: FanOutOptions = { deflateThreshold: 4096, maxBuffered: 1 << 20, onSlow: 'close' };
 * ```
 */
export interface FanOutOptions {
  /**
   * Messages of fewer bytes (Package header included) are sent uncompressed, even to clients that negotiated
   * permessage-deflate; larger ones are compressed for each of these. 0 = all are compressed, as the framework does it.
   * @default 1024
   */
  deflateThreshold?: number | string | null;
  /**
   * The number of bytes queued in Node from which a client counts as slow; 0 = no limit. Responses to requests are
   * always sent. @default 0
   */
  maxBuffered?: number | string | null;
  /**
   * What is done about a slow client: the message is dropped, which is not reported to the pushing server, or its
   * session is closed (reason `slow`). @default 'drop'
   */
  onSlow?: 'drop' | 'close' | null;
  /**
   * Names for lists: a list of at least 2 KB of uids that is pushed repeatedly is sent once to a frontend that has the
   * plugin, and then its number or the difference. `false`: this server sends no names, and takes none as a frontend.
   * @default true
   */
  lists?: boolean | null;
}

/** What {@link GlobalChannel.stats} gives. Counts are since the instance was made. */
export interface GlobalChannelStats {
  /** The state of the connection to the store. With a custom manager only `start` and `stop` change it. */
  connection: 'idle' | 'connecting' | 'connected' | 'closed';
  /** Accepted calls, by method. Refused calls are in `errors`. */
  commands: {
    add: number;
    leave: number;
    getMembersBySid: number;
    getCountBySid: number;
    getMembersByChannelName: number;
    pushMessage: number;
    destroyChannel: number;
    clean: number;
  };
  /**
   * Errors given to callbacks, by code; codes that did not occur are missing. A custom manager's own errors count as
   * `ERR_GLOBAL_CHANNEL_STORE`.
   */
  errors: { [code in GlobalChannelErrorCode]?: number };
  /** Calls that are unanswered now; `maxQueue` is their limit. */
  queueLength: number;
  /** Batches sent to the store that are unanswered now. */
  inFlight: number;
  /** Batches sent to the store. */
  batches: number;
  /** The mean number of calls in a batch; 0 before the first. */
  meanBatchSize: number;
  /** Connections after the first. */
  reconnects: number;
  /** The member cache. Hits, misses and rereads count lists: a push to 3 frontends reads 3 lists. */
  cache: {
    /** Whether lists are answered from memory now. */
    enabled: boolean;
    /** The reason if it is not enabled. */
    reason: string | null;
    /** Lists answered from memory. */
    hits: number;
    /** Lists read from the store because they were not in memory. */
    misses: number;
    /** Lists in memory that turned out to have changed when they were checked, and were read from the store. */
    rereads: number;
    /** Changes reported by the store. */
    invalidations: number;
    /**
     * Lists about which something is in memory now: that they are empty, that they were read once, or their members.
     */
    entries: number;
    /** Bytes that they take now, as measured, including the arrays in JavaScript. */
    bytes: number;
    /** Option `cache.maxBytes`; 0 = there is no cache. */
    maxBytes: number;
  };
  /**
   * Time from a call to its callback, in milliseconds; for a push until its RPCs are made. Calls answered before the
   * method returned are not counted. `p50` and `p99` have two significant digits.
   */
  latency: { count: number; p50: number; p99: number; max: number };
  /** Names for lists, between servers; null if `fanOut` or `fanOut.lists` is false. */
  lists: ListStats | null;
  /** Pushes whose callback was called after their members were read. */
  pushes: number;
  /** Successful RPCs of these pushes. */
  pushedFrontends: number;
  /** Members that these pushes did not reach. */
  failedUids: number;
  /**
   * Messages that this server, as a frontend, has sent to its clients: counted for the whole app, since it was made.
   */
  fanOut: FanOutStats;
}

/**
 * The fan-out of a frontend: counts of messages to single clients, so a message to 300 sessions counts 300 times. See
 * {@link GlobalChannel.stats} and option `fanOut`.
 *
 * @example
 * ```ts
 * const { enabled, reason, native, shared, framework, reasons } = channel.stats().fanOut;
 * if (!enabled) console.log('no fan-out:', reason);
 * else console.log(`native ${native}, shared ${shared}, framework ${framework}`, reasons);
 * ```
 */
export interface FanOutStats {
  /** Whether the app sends through the fan-out. */
  enabled: boolean;
  /** The reason if it does not: the option, not a frontend, not started yet, or a push scheduler of the app's own. */
  reason: string | null;
  /** Messages sent whole by the native call. */
  native: number;
  /**
   * Messages sent by `socket.write` of the bytes that all clients share: if earlier bytes are queued, with TLS, without
   * a native call (Windows), or if the native call sent only a part.
   */
  shared: number;
  /** Messages sent by the framework. */
  framework: number;
  /** The reasons for these; their sum is `framework`. */
  reasons: {
    /** A response to a request; the framework always sends these. */
    response: number;
    /** The socket is of an unknown kind (sioconnector, mqtt, udp, another version), or its methods were replaced. */
    otherSocket: number;
    /** The client has not finished its handshake, or is disconnecting. */
    notOpen: number;
    /** The WebSocket is compressing, or in the middle of another message. */
    busy: number;
    /** At least `deflateThreshold` bytes for a client that negotiated permessage-deflate. */
    deflate: number;
    /** The result of the app's `encode` cannot be sent. */
    notEncoded: number;
    /** There is no such session. */
    noSession: number;
  };
  /** Messages that slow clients did not get (`onSlow: 'drop'`). */
  slowDropped: number;
  /** Slow clients whose sessions were closed (`onSlow: 'close'`). */
  slowClosed: number;
}
/**
 * Names for lists ({@link FanOutOptions.lists}): counts of RPCs, and what is kept in memory.
 *
 * @example
 * ```ts
 * const { lists } = channel.stats();
 * if (lists) {
 *   const { named, changed, whole, refused } = lists;
 *   console.log(`number ${named}, difference ${changed}, whole list ${whole}, refused ${refused}`);
 * }
 * ```
 */
export interface ListStats {
  /** Frontends that take numbers in place of lists now. */
  frontends: number;
  /** Times that a frontend was asked whether it does. */
  asked: number;
  /** RPCs with only the number of a list that the frontend has. */
  named: number;
  /** RPCs with the difference to a list that the frontend has. */
  changed: number;
  /** RPCs with a whole list and its new number. */
  whole: number;
  /** RPCs that a frontend refused because it was restarted or had dropped the list; it delivered nothing of them. */
  refused: number;
  /** Memory for the lists that frontends have, in bytes (estimated); at most 32 MiB. */
  bytes: number;
  /** On a frontend: lists kept for all pushing servers. */
  kept: number;
  /** On a frontend: memory for these, in bytes (estimated); at most 32 MiB. */
  keptBytes: number;
}

/**
 * The methods of {@link GlobalChannel} without the callback: each returns a promise, which is rejected with the error
 * that the callback would get. Arguments, results and order are the same.
 *
 * @example
 * ```ts
 * const { promises } = channel;
 * await promises.add('room-1', ['alice', 'bob'], 'connector-1');
 * const uids: string[] = await promises.getMembersBySid('room-1', 'connector-1');
 * const failedUids = await promises.pushMessage('connector', 'onChat', { text: 'hello' }, 'room-1');
 * try {
 *   await promises.leave('room-1', uids, 'connector-1');
 * } catch (err) {
 *   console.error((err as GlobalChannelError).code, failedUids);
 * }
 * ```
 */
export interface GlobalChannelPromises {
  /** See {@link GlobalChannel.start}. */
  start(): Promise<void>;
  /** See {@link GlobalChannel.stop}; never rejected. */
  stop(force?: boolean): Promise<void>;
  /** See {@link GlobalChannel.add}. */
  add(name: Id, uid: Uid | Uid[], sid: Id): Promise<void>;
  /** See {@link GlobalChannel.leave}. */
  leave(name: Id, uid: Uid | Uid[], sid: Id): Promise<void>;
  /** See {@link GlobalChannel.getMembersBySid}; resolves to the uids. */
  getMembersBySid(name: Id, sid: Id): Promise<string[]>;
  /** See {@link GlobalChannel.getCountBySid}; resolves to the count. */
  getCountBySid(name: Id, sid: Id): Promise<number>;
  /** See {@link GlobalChannel.getMembersByChannelName}; resolves to the uids. */
  getMembersByChannelName(serverType: string, name: Id): Promise<string[]>;
  /** See {@link GlobalChannel.pushMessage}; resolves to `failedUids`. */
  pushMessage(
    serverType: string,
    route: string,
    msg: any,
    channelName: Id,
    opts?: object | null,
  ): Promise<string[]>;
  /** See {@link GlobalChannel.destroyChannel}. */
  destroyChannel(name: Id): Promise<void>;
  /** See {@link GlobalChannel.clean}. */
  clean(): Promise<void>;
}

/**
 * The global channel service; in an app, `app.get('globalChannelService')`.
 *
 * **Callbacks** are optional, and each is called exactly once. Calls that reach the store are answered asynchronously
 * and in call order (pushes also wait for their RPCs). A call that does not reach it (refused, or no frontend to ask)
 * is answered before the method returns. A callback that throws causes an `uncaughtException` and does not affect the
 * others. Callbacks do not carry `AsyncLocalStorage` context (nor did those of 0.0.7); {@link promises} do.
 *
 * **Order.** Calls of one instance take effect in call order: `add`, then `pushMessage`, then `leave`, without waiting,
 * pushes to the user.
 *
 * **Errors.** Every method that takes a channel name can give `ERR_GLOBAL_CHANNEL_INVALID_STATE`, `_INVALID_ARGUMENT`
 * and `_QUEUE_FULL` before it returns, and `_TIMEOUT`, `_DISCONNECTED`, `_STOPPED`, `_STORE` and `_INTERNAL` later; so
 * can `clean`. After a failed write with `_TIMEOUT` or `_DISCONNECTED` it is unknown whether it took effect, but it
 * does not take effect later. Writes are idempotent, so it is safe to repeat them. Other codes are listed at the
 * methods. What a getter of an argument or the app's server look-up throws, the method throws; the callback is not
 * called then.
 */
export class GlobalChannel {
  /**
   * Checks the options and creates a service that is not started. `app.use` does this in pomelo and pinus.
   *
   * @throws `ERR_GLOBAL_CHANNEL_INVALID_OPTION` if an option has a wrong type or value, or excludes another one.
   * @throws What a class or factory given as `channelManager` throws.
   * @example
   * ```ts
   * import { GlobalChannel } from 'pome-globalchannel-plugin';
   *
   * const service = new GlobalChannel(app, { url: 'redis://127.0.0.1:6379/3' });
   * service.start((err) => {
   *   if (err) throw err;
   * });
   * ```
   */
  constructor(app: Application, opts?: GlobalChannelOptions | null);

  /** 0 = not started, 1 = started, 2 = stopped. As in 0.0.7. */
  readonly state: 0 | 1 | 2;
  /** The application that was given to the constructor. */
  readonly app: any;
  /** The options that were given to the constructor: the same object, password included. Not enumerable. */
  readonly opts: GlobalChannelOptions;
  /** Option `cleanOnStartUp` as it was given. */
  readonly cleanOnStartUp: boolean | undefined;
  /** The custom manager, or a description of the built-in store: of Redis, or of an embedded store with its folder. */
  readonly manager:
    | ChannelManager
    | { readonly prefix: string; readonly db: number | string }
    | { readonly prefix: string; readonly path: string };

  /**
   * Connects to the store; pomelo and pinus call it. A wrong password or db fails at once, a store that is down is
   * retried until `startTimeout`. Calls to `start` while it is under way get the same result.
   *
   * Errors: `ERR_GLOBAL_CHANNEL_UNREACHABLE`; `_STORE` if the store refused the login or the options; `_TIMEOUT` if a
   * step of the clean took too long (option `cleanOnStartUp`); `_STOPPED`; `_INVALID_STATE` if it was started or
   * stopped before.
   * @example
   * ```ts
   * channel.start((err) => {
   *   if (err) console.error(err.code, err.message, err.cause);
   * });
   * ```
   */
  start(cb?: Callback): void;
  /**
   * Waits up to 1 s for calls under way, then closes; pomelo and pinus call it. Calls that are unanswered then get
   * `ERR_GLOBAL_CHANNEL_STOPPED`. A stopped service cannot be started again. The callback has no arguments. `force` is
   * only passed on to a custom manager.
   * @example
   * ```ts
   * channel.stop(false, () => process.exit());
   * ```
   */
  stop(force?: boolean, cb?: () => void): void;
  stop(cb?: () => void): void;
  /**
   * Adds a user, or an array of users in one command, to the channel. `sid` is the frontend that holds the user's
   * session. Idempotent; an empty array succeeds and does nothing.
   * @example
   * ```ts
   * channel.add('room-1', session.uid, session.frontendId, (err) => {
   *   if (err) console.error(err.code);
   * });
   * channel.add('room-1', ['alice', 'bob'], 'connector-1');
   * ```
   */
  add(name: Id, uid: Uid | Uid[], sid: Id, cb?: Callback): void;
  /**
   * Removes a user, or an array of users in one command, from the channel. Idempotent.
   * @example
   * ```ts
   * channel.leave('room-1', session.uid, session.frontendId, (err) => {
   *   if (err) console.error(err.code);
   * });
   * ```
   */
  leave(name: Id, uid: Uid | Uid[], sid: Id, cb?: Callback): void;
  /**
   * Lists the channel's members on one frontend, in the store's order (Redis: that of `SMEMBERS`). A channel that does
   * not exist is empty.
   * @example
   * ```ts
   * channel.getMembersBySid('room-1', 'connector-1', (err, uids) => {
   *   if (!err) console.log(uids); // ['alice', 'bob']
   * });
   * ```
   */
  getMembersBySid(name: Id, sid: Id, cb?: MembersCallback): void;
  /**
   * Counts the channel's members on one frontend; 0 if there are none. The store is asked each time (`SCARD` in Redis),
   * in call order, and no list is read: 100,000 members cost no more than 10.
   * @example
   * ```ts
   * channel.getCountBySid('room-1', 'connector-1', (err, count) => {
   *   if (!err) console.log(count, 'members');
   * });
   * ```
   */
  getCountBySid(name: Id, sid: Id, cb?: CountCallback): void;
  /**
   * Lists the channel's members on all frontends of type `serverType`, frontend by frontend. A uid on two of them is
   * listed twice. Without a frontend of that type the list is empty. If the list of one frontend cannot be read, the
   * call fails.
   * @example
   * ```ts
   * channel.getMembersByChannelName('connector', 'room-1', (err, uids) => {
   *   if (!err) console.log(new Set(uids).size, 'users');
   * });
   * ```
   */
  getMembersByChannelName(serverType: string, name: Id, cb?: MembersCallback): void;
  /**
   * Sends `msg` to all members on frontends of type `serverType`, with one RPC to each frontend that has members.
   * `opts` reaches push schedulers as `userOptions`, as in pomelo.
   *
   * `failedUids` are the members whom the message did not reach: they have no session, or the RPC to their frontend
   * failed or was not answered within `pushTimeout`. If the members of some frontends cannot be read, the others still
   * get the message.
   *
   * Errors: `ERR_GLOBAL_CHANNEL_PUSH_FAILED` if no frontend took the message although each has members (or could not be
   * read), or if the app has no RPC yet. If only some frontends have members and their RPCs fail, there is no error,
   * and the members are in `failedUids`. If no member could be read, the error is that of the read.
   * @example
   * ```ts
   * channel.pushMessage('connector', 'onChat', { text: 'hello' }, 'room-1', (err, failedUids) => {
   *   if (err) console.error(err.code, err.cause);
   *   else if (failedUids.length > 0) console.warn('not reached:', failedUids);
   * });
   * ```
   */
  pushMessage(
    serverType: string,
    route: string,
    msg: any,
    channelName: Id,
    cb?: PushCallback,
  ): void;
  pushMessage(
    serverType: string,
    route: string,
    msg: any,
    channelName: Id,
    opts?: object | null,
    cb?: PushCallback,
  ): void;
  /**
   * Removes all members of the channel on every frontend that is registered now. Idempotent.
   * @example
   * ```ts
   * channel.destroyChannel('room-1', (err) => {
   *   if (err) console.error(err.code);
   * });
   * ```
   */
  destroyChannel(name: Id, cb?: Callback): void;
  /**
   * Removes all channels under `prefix` in the store (in Redis: in `db`), and nothing else. Calls made after it wait
   * for it. As a whole it has no time limit, but each of its steps has `commandTimeout`; the time of waiting calls
   * begins when it ends.
   * @example
   * ```ts
   * channel.clean((err) => {
   *   if (err) console.error(err.code);
   * });
   * ```
   */
  clean(cb?: Callback): void;

  /**
   * Returns the counters of this instance as a new plain object. Cheap, and allowed in every state.
   * @example
   * ```ts
   * const { connection, queueLength, latency, cache } = channel.stats();
   * console.log(connection, queueLength, `p99 ${latency.p99} ms`);
   * console.log(`cache ${cache.enabled ? cache.hits / (cache.hits + cache.misses) : cache.reason}`);
   * ```
   */
  stats(): GlobalChannelStats;

  /** The same methods as promises; see {@link GlobalChannelPromises}. They keep `AsyncLocalStorage` context. */
  readonly promises: GlobalChannelPromises;
}

/**
 * With `components` the module itself is what pomelo's `app.use` takes. pinus takes {@link createPinusPlugin} instead.
 *
 * @example
 * ```ts
 * import globalChannel = require('pome-globalchannel-plugin');
 *
 * app.use(globalChannel, { globalChannel: { host: '127.0.0.1', port: 6379, db: 3 } });
 * ```
 */
export const components: string;

/**
 * The push scheduler that the plugin sets on frontends. Apps can also select it themselves, by setting
 * `pushSchedulerConfig` of pomelo and pinus to `{scheduler: FanOutPushScheduler}`, or in pinus' list of several. Fields
 * of option `fanOut` may stand beside `scheduler`; those left out have the values of the plugin, if it was loaded
 * before.
 *
 * @example
 * ```ts
 * import { FanOutPushScheduler } from 'pome-globalchannel-plugin';
 *
 * app.set('pushSchedulerConfig', { scheduler: FanOutPushScheduler, maxBuffered: 4 << 20 });
 * ```
 */
export class FanOutPushScheduler {
  /**
   * Makes a scheduler for `app`; the framework does this when it starts.
   * @throws `ERR_GLOBAL_CHANNEL_INVALID_OPTION` if a field of `opts` has a wrong type or value.
   */
  constructor(
    app: any,
    opts?: Pick<FanOutOptions, 'deflateThreshold' | 'maxBuffered' | 'onSlow'> | null,
  );
  /** Called by the framework; there is nothing to start. */
  start(cb?: () => void): Promise<void>;
  /** Called by the framework; there is nothing to stop. */
  stop(force?: boolean, cb?: () => void): Promise<void>;
  stop(cb?: () => void): Promise<void>;
  /**
   * Sends `msg`, which the framework has encoded, to the sessions with the ids `recvs`; for a broadcast (`opts.type`),
   * to all sessions that it addresses. Errors of single sessions are logged, and `cb` is called without an error.
   */
  schedule(
    reqId: number | null,
    route: string,
    msg: any,
    recvs: number[] | null,
    opts?: object | null,
    cb?: (err?: Error | null) => void,
  ): void;
}

/**
 * Makes what pinus's `app.use` takes; make a new one for each `app.use`.
 *
 * @example
 * ```ts
 * import { createPinusPlugin } from 'pome-globalchannel-plugin';
 *
 * pinusApp.use(createPinusPlugin(), { globalChannel: { host: '127.0.0.1', port: 6379, db: 3 } });
 * ```
 */
export function createPinusPlugin(): {
  name: string;
  components: Array<new (app: any, opts: any) => any>;
};
