/**
 * Types of `pome-globalchannel-plugin`, written by hand and checked by `tsc` against real usage.
 *
 * A *global channel* is a named set of members `(name, uid, sid)` kept in a shared store, where
 * `sid` is the id of the frontend server that holds the user's session. Behaviour that is "as
 * 0.0.7" is that of `pomelo-globalchannel-plugin` 0.0.7.
 */

/** Names the same thing as in pomelo: ids may be strings or numbers and are stored as text. */
export type Id = string | number | bigint | boolean;

/**
 * A user id. A `Buffer` is stored byte for byte; lone surrogates in a string become U+FFFD.
 */
export type Uid = Id | Uint8Array;

/** One error per failure, with a stable `code`; `message` keeps the texts that 0.0.7 used. */
export interface GlobalChannelError extends Error {
  code: GlobalChannelErrorCode;
  /** What lies behind it (the connection's last error, the first failed RPC, …), where known. */
  cause?: unknown;
}

export type GlobalChannelErrorCode =
  /** `invalid state`: called before `start` succeeded or after `stop`. Answered synchronously. */
  | 'ERR_GLOBAL_CHANNEL_INVALID_STATE'
  /** A bad argument; the message names it. Nothing was written. Answered synchronously. */
  | 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT'
  /** Thrown by the constructor; the message names the option, its value and what is accepted. */
  | 'ERR_GLOBAL_CHANNEL_INVALID_OPTION'
  /** `maxQueue` calls are waiting for an answer already. Answered synchronously. */
  | 'ERR_GLOBAL_CHANNEL_QUEUE_FULL'
  /** The store did not answer within `commandTimeout`; whether the call took effect is unknown. */
  | 'ERR_GLOBAL_CHANNEL_TIMEOUT'
  /** There is no connection, and the call may not wait for one. */
  | 'ERR_GLOBAL_CHANNEL_DISCONNECTED'
  /** `start` found no store within `startTimeout`, or gave up as `max_attempts` says. */
  | 'ERR_GLOBAL_CHANNEL_UNREACHABLE'
  /** `stop` was called and the store did not answer within the drain time of 1 s. */
  | 'ERR_GLOBAL_CHANNEL_STOPPED'
  /**
   * The store answered with an error; `message` is its own words (`WRONGTYPE …`). From `start` also: TLS
   * cannot be had as the options ask for it (`TLS: …` says why).
   */
  | 'ERR_GLOBAL_CHANNEL_STORE'
  /** `all frontend server push message fail`: no frontend took the push. */
  | 'ERR_GLOBAL_CHANNEL_PUSH_FAILED'
  /** A defect in this package, caught at the boundary; please report it. */
  | 'ERR_GLOBAL_CHANNEL_INTERNAL';

/** The part of a pomelo or pinus application that the plugin uses. */
export interface Application {
  getServersByType(serverType: string): Array<{ id: string }> | undefined;
  getServers(): { [sid: string]: any };
  isFrontend(server?: any): boolean;
  rpcInvoke?(sid: string, msg: any, cb: (...args: any[]) => void): any;
  set(key: string, value: any, attach?: boolean): any;
  get(key: string): any;
  /** The folder of the app, where a relative `path` of the embedded store begins. */
  getBase?(): string;
}

export type Callback = (err: GlobalChannelError | null) => void;
export type MembersCallback = (err: GlobalChannelError | null, members: string[]) => void;
/** `failedUids`: the members who did not get the message, as strings, in no promised order. */
export type PushCallback = (err: GlobalChannelError | null, failedUids: string[]) => void;

/**
 * A store of one's own in place of ours (as in 0.0.7). Values are passed through untouched, in
 * both directions. `start`, `stop` and `clean` may be left out. Every answer is used once; one
 * that does not come within `commandTimeout` counts as a failure.
 */
export interface ChannelManager {
  start?(cb: (err?: any) => void): void;
  stop?(force: boolean | undefined, cb: (err?: any) => void): void;
  clean?(cb: (err?: any) => void): void;
  add(name: any, uid: any, sid: any, cb: (err?: any) => void): void;
  leave(name: any, uid: any, sid: any, cb: (err?: any) => void): void;
  getMembersBySid(name: any, sid: any, cb: (err: any, members?: any[]) => void): void;
  destroyChannel(name: any, cb: (err?: any) => void): void;
}

/**
 * A manager, a factory `(app, opts) => manager` (a factory that returns nothing means option `store`), or
 * a class or constructor function whose prototype has `add`, which is called with `new`.
 */
export type ChannelManagerOption =
  | ChannelManager
  | ((app: any, opts: GlobalChannelOptions) => ChannelManager | undefined | void)
  | (new (app: any, opts: GlobalChannelOptions) => ChannelManager);

/**
 * What an app passes as `{globalChannel: {…}}`. Times are in milliseconds. `null` means "not
 * given". Integers may be given as decimal strings, as config files often do.
 *
 * `host`, `port`, `url`, `sentinels` and what belongs to it, `cluster`, `hashTag`, `db`, `username`, `password`, `auth_pass`
 * and `tls` are for `store: 'redis'`, `durability` and `localFileSystem` are for `store: 'embedded'`; with the other store they are an error. All other options
 * mean the same for both.
 */
export interface GlobalChannelOptions {
  /**
   * Where the members are kept: in Redis, or in a folder that all processes of one machine open, without
   * a server. In an embedded store a key (`prefix`, name and sid, with two colons) may have up to 511
   * bytes in UTF-8, a uid up to 503; what is longer is refused with
   * `ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT`. In Redis either may have up to 512 MB, and the uids of one call 1 GiB in all.
   * @default 'redis'
   */
  store?: 'redis' | 'embedded' | null;
  /**
   * With Redis the path of a Unix socket; excludes `host`, `port` and `url`.
   *
   * With `store: 'embedded'` the folder of the store, on a local disk; required, and made, for its owner only,
   * if it is missing. A relative path begins at the folder of the app (`app.getBase()`: where app.js is), or at
   * the current directory if the app has none. It is no URL, and `~` is not expanded.
   */
  path?: string | null;
  /**
   * What an acknowledged write survives in an embedded store. `'process'`: the death of any process, and
   * of all of them; after a power cut, a crash of the system, or a reboot without a `stop` the store begins
   * empty (on Windows, where it cannot know, it may be damaged). `'os'`: these too; each commit waits for
   * the disk. @default 'process'
   */
  durability?: 'process' | 'os' | null;
  /**
   * An embedded store is refused on a file system that is not known to be local, such as FUSE. `true` says that
   * it is: that all processes use one mount on one machine, and so see each other's locks and memory, as with the
   * folders that Docker Desktop shares. Where that is not true, processes that find each other out are
   * refused with `ERR_GLOBAL_CHANNEL_STORE`. @default false
   */
  localFileSystem?: boolean | null;
  /** @default '127.0.0.1' */
  host?: string | null;
  /** A port number or, as in 0.0.7, the path of a Unix socket. @default 6379 */
  port?: number | string | null;
  /**
   * `redis://[[user][:password]@]host[:port][/db]`, `rediss://…` for the same with TLS, or
   * `unix:///path`; excludes `host`, `port` and `path`. Each may have parameters, percent-encoded: `db`, `username`
   * (or `user`), `password` (or `pass`), and `tls` (or `ssl`) with `true` or `false`. Any other parameter, a `#fragment`,
   * or two values for one thing are an error. `db`, `username` and `password` given as options win over the URL's.
   */
  url?: string | null;
  /**
   * Redis Sentinel: where the sentinels are, or some of them, or a name that stands for them (all of its addresses are
   * used); the others are found by asking. The primary is found, and found again after a failover. Excludes `host`,
   * `port`, `url`, `path` and `cluster`. `username`, `password` and `db` are those of the server. A port that is left
   * out is 26379. Fields other than `host` and `port` are an error.
   */
  sentinels?: Array<{ host: string; port?: number | string | null } | string> | null;
  /** What the sentinels call the primary; required with `sentinels`. */
  name?: string | null;
  /** ACL user at the sentinels. */
  sentinelUsername?: string | null;
  /** The password of the sentinels, if they need one. */
  sentinelPassword?: string | number | null;
  /**
   * Some nodes of a Redis Cluster, which know the others; excludes `host`, `port`, `url`, `path` and `sentinels`, and there
   * is no `db` but 0. Keys are those of one Redis, so that they spread over the nodes. The member cache is
   * off.
   */
  cluster?: ReadonlyArray<string | { host: string; port?: number | string | null }> | null;
  /**
   * Keys are `PREFIX:{name}:sid` instead of `PREFIX:name:sid`: in a Redis Cluster all keys of a channel are then
   * in one slot. No process without this option, and no 0.0.7, finds them; so all processes must have it,
   * or none. A channel's name that is empty or begins with `}` is no hash tag for Redis, and is refused with
   * `ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT`. @default false
   */
  hashTag?: boolean | null;
  /** @default 0 */
  db?: number | string | null;
  /** The first part of every key, `PREFIX:name:sid`. @default 'POMELO:CHANNEL' */
  prefix?: string | null;
  /** ACL user (Redis 6). */
  username?: string | null;
  password?: string | number | null;
  /** 0.0.7's name for `password`. */
  auth_pass?: string | number | null;
  /**
   * TLS on every connection; `true` and `{}` trust the CAs that the system trusts. Not with a Unix
   * socket. @default false, with a URL `rediss://` true
   */
  tls?: boolean | TlsOptions | null;
  /** Time for one attempt to connect, log in and select `db`. @default 5000 */
  connectTimeout?: number | string | null;
  /** From the call to its answer, queueing and reconnects included; 0 = no limit. @default 5000 */
  commandTimeout?: number | string | null;
  /** How long `start` tries to reach the store; 0 = for ever. @default 30000 */
  startTimeout?: number | string | null;
  /** How long a push waits for a frontend's answer to its RPC; 0 = for ever. @default 10000 */
  pushTimeout?: number | string | null;
  /** Calls that may be unanswered at a time; the next one is refused at once. @default 100000 */
  maxQueue?: number | string | null;
  /**
   * The member cache: lists are kept in memory, and read again when the store says that they changed.
   * The results are the same as without it. `{maxBytes}`: what it may take. It switches itself off, with one
   * line in the log, where it cannot be sure; why is in {@link GlobalChannel.stats}.
   * @default true, with 64 MiB
   */
  cache?: boolean | { maxBytes?: number | string | null } | null;
  /**
   * Pushes do not wait for TCP: `setNoDelay` on the sockets of the framework's RPCs, where those are
   * found. @default true
   */
  rpcNoDelay?: boolean | null;
  /**
   * On a frontend: a message for many sessions is encoded once and sent to all of them in one step, where the app has
   * not configured a push scheduler of its own. Between servers: lists of members are sent once and named from then on.
   * `false`: all is sent as the framework does it. @default true
   */
  fanOut?: boolean | FanOutOptions | null;
  /** Remove all channels under `prefix` in the store before `start` calls back. @default false */
  cleanOnStartUp?: boolean;
  /** Replaces the store that the other options choose; these are checked all the same. */
  channelManager?: ChannelManagerOption | null;
  /**
   * node_redis: `false` = calls made while disconnected do not wait for a connection: they fail
   * asynchronously, in call order, as soon as they are looked at. @default true
   */
  enable_offline_queue?: boolean | null;
  /** node_redis: give up after so many attempts in a row; 0 = never. @default 0 */
  max_attempts?: number | string | false | null;
  /** node_redis: the longest pause between two attempts. @default 2000 */
  retry_max_delay?: number | string | false | null;
  /** node_redis: give up when not connected for so long; 0 = never. @default 0 */
  connect_timeout?: number | string | false | null;
  [other: string]: any;
}

/** Names and forms are those of Node's `tls.connect`; what is not here is ignored, with a warning. */
export interface TlsOptions {
  /** The CAs to trust instead of the system's, in PEM: one text, which may hold several, or an array. */
  ca?: string | Uint8Array | Array<string | Uint8Array> | null;
  /** For a server that wants to know who we are: our certificate in PEM, and those between it and the CA. */
  cert?: string | Uint8Array | null;
  /** The key of `cert` in PEM, without a passphrase. */
  key?: string | Uint8Array | null;
  /** The name, or address, that the server's certificate has to be for. @default the host */
  servername?: string | null;
  /** `false`: any server is accepted, whatever its certificate; a line in the log says so. @default true */
  rejectUnauthorized?: boolean | null;
}

export interface FanOutOptions {
  /**
   * Messages of fewer bytes are sent uncompressed also to clients that negotiated permessage-deflate; larger ones
   * are compressed for each client. 0 = all are compressed, as the framework does it. @default 1024
   */
  deflateThreshold?: number | string | null;
  /** How many bytes may be queued for a client before it counts as slow; 0 = no limit. @default 0 */
  maxBuffered?: number | string | null;
  /** What is done about a slow client: the message is dropped, or its session is closed. @default 'drop' */
  onSlow?: 'drop' | 'close' | null;
  /**
   * A list of 2 KB of uids or more is sent to a frontend that has the plugin once, and then a number in its place, or what has
   * changed. `false`: neither does this server name lists, nor does it take names as a frontend. @default true
   */
  lists?: boolean | null;
}

/** What {@link GlobalChannel.stats} gives. Counts are since the instance was made. */
export interface GlobalChannelStats {
  /** As `start` and `stop` and the network left it; with a custom manager as `start` and `stop` did. */
  connection: 'idle' | 'connecting' | 'connected' | 'closed';
  /** Calls that were taken, by method. Calls that were refused are not: see `errors`. */
  commands: {
    add: number;
    leave: number;
    getMembersBySid: number;
    getMembersByChannelName: number;
    pushMessage: number;
    destroyChannel: number;
    clean: number;
  };
  /**
   * Errors given to callbacks, by code; those that never came are left out. A custom manager's own
   * errors count as `ERR_GLOBAL_CHANNEL_STORE`.
   */
  errors: { [code in GlobalChannelErrorCode]?: number };
  /** Calls without an answer, now: what `maxQueue` limits. */
  queueLength: number;
  /** Batches at the store that are not answered, now. */
  inFlight: number;
  /** Batches sent to the store. */
  batches: number;
  /** Calls in one of them, on average; 0 as long as there is none. */
  meanBatchSize: number;
  /** Connections after the first. */
  reconnects: number;
  /** The member cache. Hits, misses and rereads count lists: a push to 3 frontends reads 3. */
  cache: {
    /** Whether lists are answered from memory now. */
    enabled: boolean;
    /** Why not. */
    reason: string | null;
    /** Lists answered from memory. */
    hits: number;
    /** Lists read from the store because they were not in memory. */
    misses: number;
    /** Lists that were in memory, and changed while that was made sure of: read after all. */
    rereads: number;
    /** Changes that the store reported. */
    invalidations: number;
    /** Lists of which something is kept, now: that they are empty, that they were read once, or their members. */
    entries: number;
    /** What they take, in bytes, now; as measured, with the arrays that JavaScript keeps of them. */
    bytes: number;
    /** What they may take; 0 = there is no cache. */
    maxBytes: number;
  };
  /**
   * From a call to its callback, in milliseconds; for a push until its RPCs are made. Calls answered
   * before the method returned are left out. `p50` and `p99` to two digits.
   */
  latency: { count: number; p50: number; p99: number; max: number };
  /** Names for lists, between servers; null where `fanOut` or `fanOut.lists` is false. */
  lists: ListStats | null;
  /** Pushes whose callback was called after their members were read. */
  pushes: number;
  /** RPCs of these that succeeded. */
  pushedFrontends: number;
  /** Users whom these did not reach. */
  failedUids: number;
}

/** What a service has done with long lists of uids, and keeps of them; see `fanOut.lists`. */
export interface ListStats {
  /** Frontends that take a number in place of a list, now. */
  frontends: number;
  /** Questions whether a frontend does. */
  asked: number;
  /** RPCs with a number, with a difference to what the frontend had, and with the whole list under a number. */
  named: number;
  changed: number;
  whole: number;
  /** RPCs that a frontend refused, because it did not know a list or had started anew; they were made again. */
  refused: number;
  /** What the lists that are remembered for frontends take here, in bytes, as estimated; at most 32 MiB. */
  bytes: number;
  /** On a frontend: lists of all pushing servers that are kept here, and their bytes; at most 32 MiB. */
  kept: number;
  keptBytes: number;
}

/** The methods of {@link GlobalChannel} without the callback: each returns a promise. */
export interface GlobalChannelPromises {
  start(): Promise<void>;
  stop(force?: boolean): Promise<void>;
  add(name: Id, uid: Uid | Uid[], sid: Id): Promise<void>;
  leave(name: Id, uid: Uid | Uid[], sid: Id): Promise<void>;
  getMembersBySid(name: Id, sid: Id): Promise<string[]>;
  getMembersByChannelName(serverType: string, name: Id): Promise<string[]>;
  pushMessage(
    serverType: string,
    route: string,
    msg: any,
    channelName: Id,
    opts?: object | null,
  ): Promise<string[]>;
  destroyChannel(name: Id): Promise<void>;
  clean(): Promise<void>;
}

/**
 * The global channel service, in an app `app.get('globalChannelService')`.
 *
 * Every callback is called exactly once. Calls that reach the store are answered asynchronously
 * and in call order; a call that does not (refused, or no frontend to ask) is answered before
 * the method returns. What a getter of an argument or the app's look-up of servers throws, the
 * method throws, and the callback is not called. A callback that throws becomes an `uncaughtException` and stops no other.
 * Without a callback a call is fire-and-forget. Callbacks do not carry `AsyncLocalStorage`
 * context (nor did 0.0.7's); `promises` do.
 */
export class GlobalChannel {
  constructor(app: Application, opts?: GlobalChannelOptions | null);

  /** 0 = not started, 1 = started, 2 = stopped. */
  readonly state: 0 | 1 | 2;
  readonly app: any;
  readonly opts: GlobalChannelOptions;
  readonly cleanOnStartUp: boolean | undefined;
  /** The custom manager, or a description of our own: of Redis, or of an embedded store with its folder. */
  readonly manager:
    | ChannelManager
    | { readonly prefix: string; readonly db: number | string }
    | { readonly prefix: string; readonly path: string };

  /** Connects. A wrong password or db fails at once; a store that is down is waited for. */
  start(cb?: Callback): void;
  /** Waits up to 1 s for calls under way, then closes. The service cannot be started again. */
  stop(force?: boolean, cb?: () => void): void;
  stop(cb?: () => void): void;
  /** Adds one user, or an array of users in one command, to the channel. Idempotent. */
  add(name: Id, uid: Uid | Uid[], sid: Id, cb?: Callback): void;
  /** Removes one user, or an array of users in one command. Idempotent. */
  leave(name: Id, uid: Uid | Uid[], sid: Id, cb?: Callback): void;
  /** The channel's members on one frontend, in the store's order. */
  getMembersBySid(name: Id, sid: Id, cb?: MembersCallback): void;
  /** Members on all frontends of `serverType`, frontend by frontend; a uid may be there twice. */
  getMembersByChannelName(serverType: string, name: Id, cb?: MembersCallback): void;
  /**
   * Sends `msg` to every member whose frontend is of `serverType`: one RPC for each frontend
   * that has members. `opts` reaches push schedulers as `userOptions`, as in pomelo.
   */
  pushMessage(
    serverType: string,
    route: string,
    msg: any,
    channelName: Id,
    opts?: object | null,
    cb?: PushCallback,
  ): void;
  pushMessage(
    serverType: string,
    route: string,
    msg: any,
    channelName: Id,
    cb?: PushCallback,
  ): void;
  /** Removes all members of the channel on every frontend that is registered now. */
  destroyChannel(name: Id, cb?: Callback): void;
  /**
   * Removes every channel under `prefix` in the store (`db` in Redis), and nothing else. Calls made after it wait for it;
   * it has no time limit itself, but each of its steps has `commandTimeout`, and theirs begins when it ends.
   */
  clean(cb?: Callback): void;

  /** What this instance did and does, as a new plain object; cheap, and possible at any time. */
  stats(): GlobalChannelStats;

  /** The same methods as promises. */
  readonly promises: GlobalChannelPromises;
}

/** What pomelo's `app.use` takes: `app.use(globalChannel, {globalChannel: {…}})`. */
export const components: string;

/** What pinus's `app.use` takes; make a new one for each `app.use`. */
export function createPinusPlugin(): {
  name: string;
  components: Array<new (app: any, opts: any) => any>;
};
