/**
 * Types of `pome-globalchannel-plugin`, written by hand. `tsc` checks them against real usage and compiles each
 * `@example`.
 *
 * A *global channel* is a named set of members `(name, uid, sid)` in a shared store, where `sid` is the id of the
 * frontend server (connector) that holds the user's session. "0.0.7" is `pomelo-globalchannel-plugin` 0.0.7, whose
 * behaviour this package keeps unless docs/MIGRATION.md says otherwise.
 */

/**
 * A channel name or server id. As in pomelo, numbers, booleans and bigints are stored as their text, and so are objects
 * that have one (a `toString` of their own, as `String(object)` calls it). Refused: `NaN`, arrays, functions, and objects
 * with the `toString` of every object.
 */
export type Id = string | number | bigint | boolean | IdObject;

/**
 * An object that is accepted as an id by its type: the `ObjectId`, `Long` and `Decimal128` of MongoDB's driver. Others
 * with a `toString` of their own are accepted too, but TypeScript cannot tell them from plain objects: write
 * `String(id)`.
 */
export interface IdObject {
  readonly _bsontype: string;
  toString(): string;
}

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
  /** `invalid state`: called before `start` succeeded (without option `waitForStart`) or after `stop`. */
  | 'ERR_GLOBAL_CHANNEL_INVALID_STATE'
  /**
   * An argument has a wrong type or is too long; the message names it. Nothing was written. If an argument was left out,
   * so that the callback is in the place of an id, the callback gets this error all the same.
   */
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
  /** From pushes: `all frontend server push message fail`, no frontend took the push. */
  | 'ERR_GLOBAL_CHANNEL_PUSH_FAILED'
  /**
   * The custom manager lacks the method that `message` names, or a method needs an option that is off: `message` names it.
   */
  | 'ERR_GLOBAL_CHANNEL_UNSUPPORTED'
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
  /** All servers by id, now; used by `destroyChannel`, and to warn of sids that are no frontends. */
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
/** `sids`: the frontends on which the user is online; none if he is offline. */
export type SidsCallback = (err: GlobalChannelError | null, sids: string[]) => void;
/** The same for each of several users. */
export type SidsByUidCallback = (
  err: GlobalChannelError | null,
  sids: { [uid: string]: string[] },
) => void;
export type IsOnlineCallback = (err: GlobalChannelError | null, isOnline: boolean) => void;
/** The same for each of several users. */
export type AreOnlineCallback = (
  err: GlobalChannelError | null,
  areOnline: { [uid: string]: boolean },
) => void;
/** Some users who are online, and the cursor of the next page: null after the last one. */
export interface OnlinePage {
  uids: string[];
  cursor: string | null;
}
export type OnlinePageCallback = (err: GlobalChannelError | null, page: OnlinePage) => void;
/** A user on a frontend. */
export interface Member {
  uid: Uid;
  sid: Id;
}
export type IsMemberCallback = (err: GlobalChannelError | null, isMember: boolean) => void;
/** Which page of a long list to read. */
export interface PageOptions {
  /** The `cursor` of the page before; `null`, or left out, for the first page. */
  cursor?: string | null;
  /** About how many elements the page should have: 1 to 10,000; by default 100. */
  limit?: number | null;
}
/** Which page of the channels to read. */
export interface ChannelPageOptions extends PageOptions {
  /**
   * A glob that the whole name must match, as in Redis: `*`, `?` (one byte), `[a-z]`, `[^a]`, and `\` before a character
   * that is meant as it is; at most 4,096 bytes. In ranges a byte that is not ASCII is negative, as in Redis on x86.
   */
  match?: string | null;
}
/** Which page of the users who are online to read. */
export interface OnlineOptions extends PageOptions {
  /** A glob that the whole uid must match, as in {@link ChannelPageOptions}. */
  match?: string | null;
}
/** A part of the members of a list. */
export interface MemberPage {
  members: string[];
  /** For the next page; `null` after the last one. */
  cursor: string | null;
}
/** A part of the channels. */
export interface ChannelPage {
  /** The channels, with the number of their members on all frontends. */
  channels: { name: string; count: number }[];
  /** For the next page; `null` after the last one. */
  cursor: string | null;
}
export type MemberPageCallback = (err: GlobalChannelError | null, page: MemberPage) => void;
export type ChannelPageCallback = (err: GlobalChannelError | null, page: ChannelPage) => void;
/** The members of a channel by frontend. */
export type MembersBySid = { [sid: string]: string[] };
export type MembersBySidCallback = (err: GlobalChannelError | null, lists: MembersBySid) => void;
/** The members of several channels, by channel and frontend. */
export type MembersByNameCallback = (
  err: GlobalChannelError | null,
  lists: { [name: string]: MembersBySid },
) => void;
/** `failedUids`: the members who did not get the message, as strings, in no particular order. */
export type PushCallback = (err: GlobalChannelError | null, failedUids: string[]) => void;

/** The options of {@link GlobalChannel.destroyChannel}. */
export interface DestroyOptions {
  /**
   * Whether members go on all frontends, also on those that are gone or not registered, and whichever process has added
   * them. The keys of the store are scanned for that, so it takes longer than other calls; those made after it wait. With
   * a `sid` that has a colon in it, only what the store's index of frontends or this process knows is found.
   */
  everywhere?: boolean | null;
}

/**
 * The options of a push. Those that are not named here are for push schedulers, which get them as `userOptions`. Any
 * object but a function: in this place a function is the callback.
 */
export interface PushOptions {
  /** Users who do not get the message. */
  except?: Id | Id[] | null;
  /** The only users who may get the message, if they are members. */
  only?: Id | Id[] | null;
  /** Channels whose members do not get the message. */
  exceptChannels?: Id | Id[] | null;
  /** The only frontends that are pushed to, among those of the type. */
  sids?: Id | Id[] | null;
  [option: string]: any;
  /** What all functions have, and other objects do not. */
  readonly [Symbol.hasInstance]?: never;
}

/** The options of {@link GlobalChannel.pushMessageByUids}. */
export interface PushByUidsOptions {
  /**
   * The frontend of the users' sessions. Without it, with option `sessions`, the message goes to every frontend of the
   * type on which a user is online.
   */
  sid?: Id | null;
  [option: string]: any;
  /** What all functions have, and other objects do not. */
  readonly [Symbol.hasInstance]?: never;
}

/** The options of {@link GlobalChannel.broadcast}: those of pomelo's and pinus's own broadcasts. */
export interface BroadcastOptions {
  /** Only sessions that are bound to a user. */
  binded?: boolean;
  /** The argument of the frontends' `broadcastFilter`. */
  filterParam?: any;
  /** The only frontends that are pushed to, among those of the type. */
  sids?: Id | Id[] | null;
  [option: string]: any;
  /** What all functions have, and other objects do not. */
  readonly [Symbol.hasInstance]?: never;
}

/** `failedSids`: the frontends that did not get the message. */
export type BroadcastCallback = (err: GlobalChannelError | null, failedSids: string[]) => void;

/**
 * A custom manager: a store in place of the built-in ones (as in 0.0.7), for option `channelManager`. Arguments and answers are
 * passed through unchanged. `start`, `stop` and `clean` are optional.
 *
 * A method answers by its callback or by a promise. The first answer to a call counts, later ones are ignored. A method
 * that declares the callback as a parameter and returns a promise of `undefined` is waited for until it calls back.
 *
 * A call without an answer within `commandTimeout` fails with `ERR_GLOBAL_CHANNEL_TIMEOUT`; `start` and `clean` have
 * `startTimeout` and fail with `ERR_GLOBAL_CHANNEL_UNREACHABLE`, `stop` has 1 s. A list that is no array, or a count that
 * is no whole number, is `ERR_GLOBAL_CHANNEL_STORE`. These errors name the method. A custom manager's own errors reach
 * the callback unchanged; they need no `code`.
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
 *
 * @example
 * With promises, over a database:
 * ```ts
 * import type { ChannelManager } from 'pome-globalchannel-plugin';
 *
 * declare const members: {
 *   insert(row: object): Promise<unknown>;
 *   remove(filter: object): Promise<unknown>;
 *   find(filter: object): Promise<Array<{ uid: string }>>;
 * };
 *
 * class DatabaseManager implements ChannelManager {
 *   async add(name: string, uid: string, sid: string) {
 *     await members.insert({ name, uid, sid });
 *   }
 *   async leave(name: string, uid: string, sid: string) {
 *     await members.remove({ name, uid, sid });
 *   }
 *   async getMembersBySid(name: string, sid: string) {
 *     return (await members.find({ name, sid })).map(({ uid }) => uid);
 *   }
 *   async destroyChannel(name: string) {
 *     await members.remove({ name });
 *   }
 * }
 *
 * app.use(globalChannel, { globalChannel: { channelManager: DatabaseManager } });
 * ```
 */
export interface ChannelManager {
  /** `true` only in an {@link EverywhereChannelManager}. */
  readonly everywhere?: false;
  /** Called by `start` of the service. Without it, the service starts at once. */
  start?(cb: (err?: any) => void): void | PromiseLike<unknown>;
  /** Called by `stop`, after the calls under way were answered or 1 s has passed. */
  stop?(force: boolean | undefined, cb: (err?: any) => void): void | PromiseLike<unknown>;
  /**
   * Watches channels, for {@link GlobalChannel.watch}: calls `listener` at each event until the function that it returns is
   * called. Without it `watch` throws `ERR_GLOBAL_CHANNEL_UNSUPPORTED`.
   */
  watch?(
    what: string | readonly string[] | { prefix: string },
    listener: <E extends keyof ChannelEvents>(event: E, told: ChannelEvents[E]) => void,
  ): () => void;
  /** Removes all channels. Called by `clean`, and by `start` with `cleanOnStartUp`. */
  clean?(cb: (err?: any) => void): void | PromiseLike<unknown>;
  /** Adds a member. `uid` is what the caller gave, an array too. */
  add(name: any, uid: any, sid: any, cb: (err?: any) => void): void | PromiseLike<unknown>;
  /** Removes a member. `uid` is what the caller gave, an array too. */
  leave(name: any, uid: any, sid: any, cb: (err?: any) => void): void | PromiseLike<unknown>;
  /**
   * Lists the members on one frontend, as an array. Pushes and `getMembersByChannelName` call it once per frontend.
   */
  getMembersBySid(
    name: any,
    sid: any,
    cb: (err: any, members?: any[]) => void,
  ): void | PromiseLike<any[] | void>;
  /**
   * Counts the members on one frontend, as a whole number. If it is left out, the members of `getMembersBySid` are
   * counted.
   */
  getCountBySid?(
    name: any,
    sid: any,
    cb: (err: any, count?: number) => void,
  ): void | PromiseLike<number | void>;
  /**
   * Counts the members on all frontends; called for `getCount(name, null)` only, of an {@link EverywhereChannelManager},
   * which is refused without it.
   */
  getCount?(
    name: any,
    serverType: null,
    cb: (err: any, count?: number) => void,
  ): void | PromiseLike<number | void>;
  /**
   * Tells whether a user is a member. If it is left out, the members of `getMembersBySid` are searched. With `sid` `null`,
   * in an {@link EverywhereChannelManager} only, on all frontends; that is refused without this method.
   */
  isMember?(
    name: any,
    uid: any,
    sid: any,
    cb: (err: any, isMember?: boolean) => void,
  ): void | PromiseLike<boolean | void>;
  /**
   * Reads a part of the members on one frontend. If it is left out, all members of `getMembersBySid` are one page.
   * `opts` is what the caller gave.
   */
  scanMembers?(
    name: any,
    sid: any,
    opts: any,
    cb: (err: any, page?: { members: any[]; cursor: string | null }) => void,
  ): void | PromiseLike<{ members: any[]; cursor: string | null } | void>;
  /** Lists a part of the channels. */
  getChannels?(
    opts: any,
    cb: (err: any, page?: { channels: any[]; cursor: string | null }) => void,
  ): void | PromiseLike<{ channels: any[]; cursor: string | null } | void>;
  /** Adds members, each on its frontend, and counts those that are new. */
  addMany?(
    name: any,
    members: any,
    cb: (err: any, count?: number) => void,
  ): void | PromiseLike<unknown>;
  /** Removes members, each on its frontend, and counts those that were there. */
  leaveMany?(
    name: any,
    members: any,
    cb: (err: any, count?: number) => void,
  ): void | PromiseLike<unknown>;
  /** Removes the channel on all frontends. */
  destroyChannel(name: any, cb: (err?: any) => void): void | PromiseLike<unknown>;
}

/**
 * A custom manager that takes calls on all frontends that it knows, also those that are gone: `leave` and `isMember` with
 * `null` for `sid`, `getCount` with `null` for a type, `destroyChannel` with {@link DestroyOptions.everywhere}. Other
 * managers are not called for them: the call fails with `ERR_GLOBAL_CHANNEL_UNSUPPORTED`.
 */
export interface EverywhereChannelManager extends Omit<
  ChannelManager,
  'everywhere' | 'destroyChannel'
> {
  readonly everywhere: true;
  /** Removes the channel on all frontends of the app; with `everywhere` on all that the store knows. */
  destroyChannel(
    name: any,
    opts: { everywhere: boolean },
    cb: (err?: any) => void,
  ): void | PromiseLike<unknown>;
}

/**
 * A manager, a factory `(app, opts) => manager` (one that returns nothing selects the store of option `store`), or a
 * class or constructor function whose prototype has `add`, which is called with `new`.
 */
export type ChannelManagerOption =
  | ChannelManager
  | EverywhereChannelManager
  | ((
      app: any,
      opts: GlobalChannelOptions,
    ) => ChannelManager | EverywhereChannelManager | undefined | void)
  | (new (app: any, opts: GlobalChannelOptions) => ChannelManager | EverywhereChannelManager);

/**
 * `true` or `false`, or the text of one as in a configuration file or the environment, in any case; an empty text means
 * "not given".
 */
export type BooleanOption = boolean | 'true' | 'false' | '1' | '0' | '';

/**
 * What an app passes as `{globalChannel: {…}}`. All options are optional; `null`, an empty string and an empty list mean
 * "not given", and so does `false` for a string, an integer, a password or a list. Times are in milliseconds. Integers may
 * be given as decimal strings, as config files often do. A wrong type or value makes the constructor throw
 * `ERR_GLOBAL_CHANNEL_INVALID_OPTION`; an unknown option is logged and ignored.
 *
 * `host`, `port`, `url`, `sentinels`, `name`, `sentinelUsername`, `sentinelPassword`, `sentinelTls`, `cluster`,
 * `natMap`, `hashTag`, `db`, `username`, `password`, `auth_pass`, `database`, `user`, `socket` and `tls` are for
 * `store: 'redis'`, `durability` and `localFileSystem` for `store: 'embedded'`; with the other store they are an error.
 * All other options mean the same for both.
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
  path?: string | false | null;
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
  localFileSystem?: BooleanOption | null;
  /** The host name or address of Redis; without a port, without brackets. @default '127.0.0.1' */
  host?: string | false | null;
  /** The port number of Redis or, as in 0.0.7, the path of a Unix socket. @default 6379 */
  port?: number | string | false | null;
  /**
   * `redis://[[user][:password]@]host[:port][/db]`, `rediss://…` for the same with TLS, `unix:///path`,
   * `redis+sentinel://[[user][:password]@]host[:port],…/name[/db]` (the login is the servers', the rest as options
   * `sentinels` and `name`) or `redis+cluster://[[user][:password]@]host[:port],…` (as option `cluster`). The scheme
   * may be in any case, and `valkey` means the same as `redis` in it. Excludes `host`, `port` and `path`.
   * Accepted parameters, percent-encoded: `db`, `username` (or `user`), `password` (or `pass`), and `tls` (or `ssl`) with
   * `true` or `false`; with sentinels also `sentinelUsername` and `sentinelPassword`. Any other parameter, a
   * `#fragment`, or two values for the same thing are an error. Options override what the URL says.
   * @example
   * ```ts
   * app.use(globalChannel, { globalChannel: { url: 'redis://:secret@10.0.0.5:6379/3' } });
   * ```
   */
  url?: string | false | null;
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
  sentinels?: Array<{ host: string; port?: number | string | null } | string> | false | null;
  /** The name of the primary at the sentinels; required with `sentinels`, unless `url` has it. */
  name?: string | false | null;
  /** ACL user at the sentinels, or a function that returns it. */
  sentinelUsername?: string | UsernameFunction | false | null;
  /** The password of the sentinels, if they need one, or a function that returns it. */
  sentinelPassword?: string | number | PasswordFunction | false | null;
  /**
   * TLS to the sentinels, apart from that to the server: `true`, `false`, or an object as option `tls`, of which nothing
   * applies to them then. @default as `tls`
   */
  sentinelTls?: BooleanOption | TlsOptions | null;
  /**
   * Redis Cluster: some nodes, which tell the others. Excludes `host`, `port`, `url`, `path` and `sentinels`; `db` can
   * only be 0, except in a cluster of Valkey 9 or later that has more (`cluster-databases`). Keys are the same as with
   * one Redis, so that they spread over the nodes. The member cache keeps the lists of each node.
   * @example
   * ```ts
   * app.use(globalChannel, {
   *   globalChannel: { cluster: [{ host: 'redis-1', port: 6379 }, 'redis-2:6379'], hashTag: true },
   * });
   * ```
   */
  cluster?: ReadonlyArray<string | { host: string; port?: number | string | null }> | false | null;
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
  natMap?: { readonly [announced: string]: MappedAddress } | NatMapFunction | false | null;
  /**
   * `true`: keys are `PREFIX:{name}:sid` instead of `PREFIX:name:sid`, so that all keys of a channel are in one slot of
   * a Redis Cluster. Processes without this option, and 0.0.7, do not find such keys: all processes must have it, or
   * none. A channel name that is empty or begins with `}` is no hash tag for Redis, and is refused with
   * `ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT`. @default false
   */
  hashTag?: BooleanOption | null;
  /** The number of the database in Redis. @default 0 */
  db?: number | string | false | null;
  /** The first part of every key, `PREFIX:name:sid`. @default 'POMELO:CHANNEL' */
  prefix?: string | false | null;
  /** The ACL user (Redis 6 or later), or a function that returns it. @default Redis's user `default` */
  username?: string | UsernameFunction | false | null;
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
  password?: string | number | PasswordFunction | false | null;
  /** node-redis's name for `db`. */
  database?: number | string | false | null;
  /** node_redis's name for `username`. */
  user?: string | UsernameFunction | false | null;
  /** Options in the form of node-redis 4. An option that is given twice, with different values, is an error. */
  socket?: SocketOptions | null;
  /** 0.0.7's name for `password`. */
  auth_pass?: string | number | PasswordFunction | false | null;
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
  tls?: BooleanOption | TlsOptions | null;
  /** Time for one attempt to connect, log in and select `db`. @default 5000 */
  connectTimeout?: number | string | null;
  /** Time from a call to its answer, queueing and reconnects included; 0 = no limit. @default 5000 */
  commandTimeout?: number | string | null;
  /** How long `start` tries to reach the store; 0 = for ever. @default 30000 */
  startTimeout?: number | string | null;
  /**
   * How long a push waits for a frontend's answer to its RPC; 0 = for ever. One that leaves the cluster meanwhile has
   * 1 s, unless it is registered again. @default 10000
   */
  pushTimeout?: number | string | null;
  /** The maximum number of unanswered calls; further ones fail with `ERR_GLOBAL_CHANNEL_QUEUE_FULL`. @default 100000 */
  maxQueue?: number | string | false | null;
  /**
   * `true`: calls that are made before `start` is done wait for it, and are made in their order when it has succeeded; at
   * most `maxQueue` of them, further ones fail with `ERR_GLOBAL_CHANNEL_QUEUE_FULL`. The time of such a call begins
   * then; before `start` is called nothing limits it. A start that fails answers them with its error, `stop` with `ERR_GLOBAL_CHANNEL_STOPPED`. After a failed start
   * calls are refused until `start` is called again. `false`: they get `ERR_GLOBAL_CHANNEL_INVALID_STATE`, as in 0.0.7.
   * @default false
   * @example
   * ```ts
   * import { GlobalChannel } from 'pome-globalchannel-plugin';
   *
   * const service = new GlobalChannel(app, { port: 6379, waitForStart: true });
   * service.add('room-1', 'alice', 'connector-1', (err) => console.log(err ?? 'added'));
   * service.start();
   * ```
   */
  waitForStart?: BooleanOption | null;
  /**
   * The member cache: lists are kept in memory, and read again when the store reports a change. Results are the same
   * as without it. `{maxBytes}` bounds its memory. It switches itself off, with one line in the log, where it cannot be
   * exact; {@link GlobalChannel.stats} has the reason. `false` reads the store each time.
   * @default true, with 64 MiB
   */
  cache?: boolean | { maxBytes?: number | string | null } | Exclude<BooleanOption, boolean> | null;
  /**
   * Pushes do not wait for delayed TCP acknowledgements: `setNoDelay` on the sockets of the framework's RPCs, where
   * those are found. @default true
   */
  rpcNoDelay?: BooleanOption | null;
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
  fanOut?: BooleanOption | FanOutOptions | null;
  /**
   * `true`: the store knows who is online, and where, for {@link GlobalChannel.isOnline}, `getSidsByUid`,
   * `getOnlineCount`, and `pushMessageByUids` without a frontend. All servers of the app need it, frontends included: these
   * write their users down. Not with `channelManager`. See docs/MEMBERSHIP.md. @default false
   * @example
   * ```ts
   * app.use(globalChannel, { globalChannel: { url: 'redis://127.0.0.1:6379/3', sessions: true } });
   * ```
   */
  sessions?: BooleanOption | null;
  /**
   * With `sessions`: the time after which a frontend that does not renew its lease counts as dead, and its users as
   * offline; 1000 to 86400000. It is renewed every third of that. The same on all servers. @default 60000
   */
  leaseTtl?: number | string | null;
  /**
   * With `membership: 'session'`: how many milliseconds a user stays a member after the last session on the frontend has
   * ended, for reconnects; 0 to 3600000. That of the frontend counts. With `events`: how long a channel must have been without
   * members to be `vacated`; that of the watching process counts. @default 2000
   */
  leaveDelay?: number | string | null;
  /**
   * `true`: each change of the members of a channel by this process is published in the step that makes it, and channels can be
   * watched with {@link GlobalChannel.watch}. All processes whose changes are to be seen need it. A change costs the store
   * more then. With `channelManager` it is an error. See docs/EVENTS.md.
   * @default false
   * @example
   * ```ts
   * app.use(globalChannel, { globalChannel: { url: 'redis://127.0.0.1:6379/3', events: true } });
   * ```
   */
  events?: BooleanOption | null;
  /**
   * `'session'`: members end with the sessions of their users, `sessions` is on, and an index of each user's channels is kept
   * on each frontend, for {@link GlobalChannel.leaveAll} and `getChannelsByUid`. The same on all servers of the app. Not with `channelManager`. See
   * docs/MEMBERSHIP.md. @default 'persistent'
   */
  membership?: 'persistent' | 'session' | null;
  /**
   * Remove all channels under `prefix` in the store before `start` calls back. As in 0.0.7, any truthy value does it,
   * except the texts `'false'`, `'0'`, `'no'` and `'off'`. @default false
   */
  cleanOnStartUp?: BooleanOption | null;
  /**
   * A custom manager: a store in place of the one that the other options select; these are checked all the same.
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
  channelManager?: ChannelManagerOption | false | null;
  /**
   * A logger in place of the framework's (pomelo-logger, pinus-logger) or the console: an object with these methods, each of which
   * is called with one line. What they throw is ignored.
   */
  logger?: Logger | false | null;
  /**
   * As in node_redis. `false`: calls made while disconnected do not wait for a connection but fail with
   * `ERR_GLOBAL_CHANNEL_DISCONNECTED`, asynchronously and in call order. @default true
   */
  enable_offline_queue?: BooleanOption | null;
  /** As in node_redis: give up after this number of failed attempts in a row; 0 = never. @default 0 */
  max_attempts?: number | string | false | null;
  /** As in node_redis: the longest pause between two attempts. @default 2000 */
  retry_max_delay?: number | string | false | null;
  /** As in node_redis: give up after this time without a connection; 0 = never. @default 0 */
  connect_timeout?: number | string | false | null;
  /** ioredis's name for `enable_offline_queue`. */
  enableOfflineQueue?: BooleanOption | null;
  /** node-redis's name for `maxQueue`. */
  commandsQueueMaxLength?: number | string | false | null;
  /**
   * Other options of node_redis, ioredis and node-redis have no effect: one warning names them, with what there is in
   * their place (docs/OPTIONS.md). `return_buffers: true` is refused. Anything else is logged and ignored.
   */
  [other: string]: any;
}

/** Option `socket`: node-redis 4's names for options that have the same names here, and for those of {@link TlsOptions}. */
export interface SocketOptions {
  /** As option `host`. */
  host?: string | false | null;
  /** As option `port`. */
  port?: number | string | false | null;
  /** As option `path`. */
  path?: string | false | null;
  /** As option `tls`. */
  tls?: BooleanOption | null;
  /** As option `tls.ca`. */
  ca?: TlsOptions['ca'];
  /** As option `tls.cert`. */
  cert?: TlsOptions['cert'];
  /** As option `tls.key`. */
  key?: TlsOptions['key'];
  /** As option `tls.servername`. */
  servername?: TlsOptions['servername'];
  /** As option `tls.rejectUnauthorized`. */
  rejectUnauthorized?: TlsOptions['rejectUnauthorized'];
  /** As option `connectTimeout`. */
  connectTimeout?: number | string | null;
}

/** Option `logger`. */
export interface Logger {
  debug(line: string): void;
  info(line: string): void;
  warn(line: string): void;
  error(line: string): void;
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
  ca?: string | Uint8Array | Array<string | Uint8Array> | false | null;
  /** The client certificate in PEM, with intermediate certificates, for servers that ask for one. */
  cert?: string | Uint8Array | false | null;
  /** The key of `cert` in PEM, without a passphrase. */
  key?: string | Uint8Array | false | null;
  /** The name or address for which the server's certificate must be valid. @default the host */
  servername?: string | false | null;
  /** `false` disables TLS certificate verification: any server is accepted. Logged at each start. @default true */
  rejectUnauthorized?: BooleanOption | null;
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
  lists?: BooleanOption | null;
}

/** What {@link GlobalChannel.stats} gives. Counts are since the instance was made. */
export interface GlobalChannelStats {
  /** The version of the package. */
  version: string;
  /** The state of the connection to the store. With a custom manager only `start` and `stop` change it. */
  connection: 'idle' | 'connecting' | 'connected' | 'closed';
  /** Accepted calls, by method. Refused calls are in `errors`. */
  commands: {
    add: number;
    leave: number;
    addMany: number;
    leaveMany: number;
    getMembersBySid: number;
    getCountBySid: number;
    getCount: number;
    isMember: number;
    getMembersByChannelName: number;
    getMembersByChannelNameBySid: number;
    pushMessage: number;
    pushMessageByUids: number;
    broadcast: number;
    getSidsByUid: number;
    isOnline: number;
    getOnlineCount: number;
    getOnline: number;
    getChannelsByUid: number;
    leaveAll: number;
    destroyChannel: number;
    scanMembers: number;
    getChannels: number;
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
  latency: {
    count: number;
    p50: number;
    p99: number;
    max: number;
    /** Upper bounds of the buckets of `methods`, in milliseconds. */
    bounds: number[];
    /**
     * The same by method, of those that were called: how many calls, the sum of their times in milliseconds, and how many
     * took at most each of `bounds`.
     */
    methods: { [method in keyof GlobalChannelStats['commands']]?: MethodLatency };
  };
  /** Names for lists, between servers; null if `fanOut` or `fanOut.lists` is false. */
  lists: ListStats | null;
  /**
   * RPCs of pushes, by what became of them: answered, failed, not answered within `pushTimeout`, given up because the frontend
   * had left the cluster.
   */
  pushRpcs: { answered: number; failed: number; timedOut: number; departed: number };
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
  /** Who is online; null without option `sessions`. */
  sessions: SessionStats | null;
  /** Memberships that end with the sessions; null without option `membership: 'session'`. */
  membership: MembershipStats | null;
  /** Events of channels; null without option `events`. */
  events: EventStats | null;
}

/** The calls of one method in `stats().latency.methods`. */
export interface MethodLatency {
  /** Answered calls. */
  count: number;
  /** The sum of their times, in milliseconds. */
  sum: number;
  /** How many took at most as long as each of `bounds`. */
  buckets: number[];
}

/** Labels of all metrics of a service: names as Prometheus takes them, except those that the metrics have themselves. */
export interface MetricLabels {
  [name: string]: string | number | boolean;
}

/** The part of a registry of prom-client (13, 14 or 15) that is used. */
export interface MetricRegistry {
  registerMetric(metric: any): void;
  getSingleMetric(name: string): any;
  removeSingleMetric(name: string): void;
}

/** What {@link GlobalChannel.registerMetrics} takes: the prom-client of the app, a registry, or both. */
export interface MetricsOptions {
  /** The app's prom-client; its default registry is taken if there is no `register`. */
  client?: { register: MetricRegistry };
  /** The registry. */
  register?: MetricRegistry;
  /** Labels of all samples. */
  labels?: MetricLabels | null;
}

/**
 * What this process has received of the changes of channels. Counts are since the instance was started.
 *
 * @example
 * ```ts
 * const { events } = channel.stats();
 * if (events && events.gaps > 10) console.warn('the subscription is lost again and again');
 * ```
 */
export interface EventStats {
  /** Changes that were received while something was watched: of one channel on one frontend each. */
  received: number;
  /** Those of them that were of channels that are watched. */
  watched: number;
  /** Times that changes may have been missed, after the first gap of a subscription. */
  gaps: number;
  /**
   * How late the watched changes were: from the moment at which their process has sent them until their listeners here were
   * told, in milliseconds. It compares the wall clocks of the two machines, so it is wrong by their difference; less than
   * 0 counts as 0. Changes by versions that do not send the time are not in it.
   */
  lag: EventLag;
}

/** How late changes were, in `stats().events.lag`. */
export interface EventLag {
  /** Changes. */
  count: number;
  /** The sum of their times, in milliseconds. */
  sum: number;
  /** Upper bounds of the buckets, in milliseconds. */
  bounds: number[];
  /** How many took at most as long as each of `bounds`. */
  buckets: number[];
}

/**
 * What this process does for option `membership: 'session'`. Counts are since the instance was started; those of `leaves`
 * are members `(name, uid, sid)` that were removed. A process that is no frontend only has `leaves.purge`.
 *
 * @example
 * ```ts
 * const { membership } = channel.stats();
 * if (membership && membership.waiting > 1000) console.error('leaves cannot reach the store');
 * ```
 */
export interface MembershipStats {
  leaves: {
    /** Of users whose last session had ended. */
    close: number;
    /** Of users without a session whom a comparison has found. */
    reconcile: number;
    /** Of this frontend, at its stop. */
    stop: number;
    /** Of dead frontends, and of an earlier process of this one. */
    purge: number;
  };
  /** Users whose leave, or return, is due, waits for `leaveDelay` or for the store. */
  waiting: number;
  /** Members that were added again, because their users were back, or the frontend had not been dead. */
  putBack: number;
  /** Comparisons of the members in the store with the sessions. */
  comparisons: number;
  /** Users without a session whom these found. */
  found: number;
  /**
   * How long after the end of its lease the purge of a dead frontend was done here, for the last one, in milliseconds: at most, since
   * its last renewal may not have been seen. null before the first.
   */
  purgeLag: number | null;
  /** The scans of this process for members that others have added. */
  scan: {
    /** Scans that came to their ends. */
    runs: number;
    /** Steps: each reads up to 500 keys or 250 members. */
    steps: number;
    /** Channels whose members were read. */
    channels: number;
    /** Members that were found, and added to the index. */
    entered: number;
    /** How long the last whole scan took, in milliseconds; null before the first. */
    duration: number | null;
  };
}

/**
 * What this process does for option `sessions`. Counts are since the instance was started.
 *
 * @example
 * ```ts
 * const { sessions } = channel.stats();
 * if (sessions?.lease && sessions.lease.state !== 'held') console.error('not authoritative:', sessions.lease);
 * ```
 */
export interface SessionStats {
  /**
   * The lease of this frontend; null if the process is none. `state`: `none` before it was claimed, `held`, `expired` if
   * it could not be renewed in time, `lost` while another process with the same server id holds it, `released` after
   * `stop`. `age`: milliseconds since the last renewal; null before the first.
   */
  lease: {
    sid: string;
    state: 'none' | 'held' | 'expired' | 'lost' | 'released';
    age: number | null;
  } | null;
  /** Sessions of this frontend that are bound to a user. */
  sessions: number;
  /** Users that these sessions belong to. */
  users: number;
  /** Renewals of the lease that were answered. */
  renewals: number;
  /**
   * Renewals, or comparisons after them, that failed. They are tried again after a twelfth of `leaseTtl`. What the store refuses
   * because the lease has expired, or is another process's, does not count.
   */
  failedRenewals: number;
  /** Times that the lease had expired and was claimed again. */
  regained: number;
  /** Times that another process had claimed it. */
  lost: number;
  /** Comparisons of the list in the store with the sessions. */
  comparisons: number;
  /** Users that these added to the list. */
  added: number;
  /** Users that these removed from it. */
  removed: number;
  /** Sessions for which these found that an event of the framework did not come. */
  missedEvents: number;
  /** Times that this process looked for leases of other frontends that have expired. */
  sweeps: number;
  /** Times that it could not. */
  failedSweeps: number;
  /** Dead frontends whose users it has removed. */
  sweptFrontends: number;
  /** Users that it has removed. */
  sweptUsers: number;
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
  /**
   * The reason if it does not: the option, not a frontend, not started yet, a push scheduler of the app's own, or the
   * framework's default one, set after the plugin was loaded.
   */
  reason: string | null;
  /** Messages sent whole by the native call. */
  native: number;
  /** Bytes sent by the native call, which `socket.bytesWritten` does not count. */
  nativeBytes: number;
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
    /** The app has replaced `sendMessage` (broadcasts to bound sessions: `sendMessageByUid`) of its session service. */
    sessionService: number;
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
 * that the callback would get. Arguments and order are the same, and so are results, but for `add` and `leave`, which tell
 * how many members changed.
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
  /**
   * See {@link GlobalChannel.add}; resolves to the number of members that are new. After a lost connection it counts what
   * was left to do. With a custom manager it resolves to what that passes to
   * its callback.
   */
  add(name: Id | Id[], uid: Uid | Uid[], sid: Id): Promise<number>;
  /** See {@link GlobalChannel.leave}; resolves to the number of members that were there, counted as by `add`. */
  leave(name: Id | Id[], uid: Uid | Uid[], sid: Id | null): Promise<number>;
  /** See {@link GlobalChannel.addMany}; resolves to the count. */
  addMany(name: Id, members: Member[]): Promise<number>;
  /** See {@link GlobalChannel.leaveMany}; resolves to the count. */
  leaveMany(name: Id, members: Member[]): Promise<number>;
  /** See {@link GlobalChannel.getMembersBySid}; resolves to the uids. */
  getMembersBySid(name: Id, sid: Id): Promise<string[]>;
  /** See {@link GlobalChannel.getCountBySid}; resolves to the count. */
  getCountBySid(name: Id, sid: Id): Promise<number>;
  /** See {@link GlobalChannel.getCount}; resolves to the count. */
  getCount(name: Id, serverType: string | null): Promise<number>;
  /** See {@link GlobalChannel.isMember}; resolves to the answer. */
  isMember(name: Id, uid: Uid, sid: Id | null): Promise<boolean>;
  /** See {@link GlobalChannel.scanMembers}; resolves to the page. */
  scanMembers(name: Id, sid: Id, opts?: PageOptions | null): Promise<MemberPage>;
  /** See {@link GlobalChannel.getChannels}; resolves to the page. */
  getChannels(opts?: ChannelPageOptions | null): Promise<ChannelPage>;
  /** See {@link GlobalChannel.getMembersByChannelName}; resolves to the uids. */
  getMembersByChannelName(serverType: string, name: Id): Promise<string[]>;
  /** See {@link GlobalChannel.getMembersByChannelNameBySid}; resolves to the lists. */
  getMembersByChannelNameBySid(serverType: string, name: Id): Promise<MembersBySid>;
  getMembersByChannelNameBySid(
    serverType: string,
    names: Id[],
  ): Promise<{ [name: string]: MembersBySid }>;
  /** See {@link GlobalChannel.pushMessage}; resolves to `failedUids`. */
  pushMessage(
    serverType: string,
    route: string,
    msg: any,
    channelName: Id | Id[],
    opts?: PushOptions | null,
  ): Promise<string[]>;
  /** See {@link GlobalChannel.pushMessageByUids}; resolves to `failedUids`. */
  pushMessageByUids(
    serverType: string,
    route: string,
    msg: any,
    uids: Id | Id[],
    opts?: PushByUidsOptions | null,
  ): Promise<string[]>;
  /** See {@link GlobalChannel.getSidsByUid}; resolves to the server ids. */
  getSidsByUid(uids: Id[]): Promise<{ [uid: string]: string[] }>;
  getSidsByUid(uid: Id): Promise<string[]>;
  /** See {@link GlobalChannel.isOnline}; resolves to the answer. */
  isOnline(uids: Id[]): Promise<{ [uid: string]: boolean }>;
  isOnline(uid: Id): Promise<boolean>;
  /** See {@link GlobalChannel.getOnlineCount}; resolves to the count. */
  getOnlineCount(serverType: string | null): Promise<number>;
  /** See {@link GlobalChannel.getOnline}; resolves to the page. */
  getOnline(opts?: OnlineOptions | null): Promise<OnlinePage>;
  /** See {@link GlobalChannel.getChannelsByUid}. */
  getChannelsByUid(uid: Id, sid: Id | null): Promise<string[]>;
  /** See {@link GlobalChannel.leaveAll}. */
  leaveAll(uid: Id, sid: Id | null): Promise<string[]>;
  /** See {@link GlobalChannel.broadcast}; resolves to `failedSids`. */
  broadcast(
    serverType: string,
    route: string,
    msg: any,
    opts?: BroadcastOptions | null,
  ): Promise<string[]>;
  /** See {@link GlobalChannel.destroyChannel}. */
  destroyChannel(name: Id | Id[], opts?: DestroyOptions | null): Promise<void>;
  /** See {@link GlobalChannel.clean}. */
  clean(): Promise<void>;
}

/**
 * One channel of a service, made by {@link GlobalChannel.channel}: the methods of {@link GlobalChannel} that take a
 * channel's name, without that argument. It keeps no state of its own.
 *
 * @example
 * ```ts
 * const room = channel.channel('room-1');
 * room.add('alice', 'connector-1', (err) => {
 *   if (err) console.error(err.code);
 * });
 * room.pushMessage('connector', 'onChat', { text: 'hello' }, (err, failedUids) => console.log(err, failedUids));
 * const uids: string[] = await room.promises.getMembersBySid('connector-1');
 * ```
 */
export interface Channel {
  /** The name that was given. */
  readonly name: Id;
  /** See {@link GlobalChannel.add}. */
  add(uid: Uid | Uid[], sid: Id, cb?: Callback): void;
  /** See {@link GlobalChannel.leave}. */
  leave(uid: Uid | Uid[], sid: Id | null, cb?: Callback): void;
  /** See {@link GlobalChannel.getMembersBySid}. */
  getMembersBySid(sid: Id, cb?: MembersCallback): void;
  /** See {@link GlobalChannel.getCountBySid}. */
  getCountBySid(sid: Id, cb?: CountCallback): void;
  /** See {@link GlobalChannel.getCount}. */
  getCount(serverType: string | null, cb?: CountCallback): void;
  /** See {@link GlobalChannel.isMember}. */
  isMember(uid: Uid, sid: Id | null, cb?: IsMemberCallback): void;
  /** See {@link GlobalChannel.scanMembers}. */
  scanMembers(sid: Id, cb?: MemberPageCallback): void;
  scanMembers(sid: Id, opts?: PageOptions | null, cb?: MemberPageCallback): void;
  /** See {@link GlobalChannel.addMany}. */
  addMany(members: Member[], cb?: CountCallback): void;
  /** See {@link GlobalChannel.leaveMany}. */
  leaveMany(members: Member[], cb?: CountCallback): void;
  /** See {@link GlobalChannel.getMembersByChannelName}. */
  getMembersByChannelName(serverType: string, cb?: MembersCallback): void;
  /** See {@link GlobalChannel.getMembersByChannelNameBySid}. */
  getMembersByChannelNameBySid(serverType: string, cb?: MembersBySidCallback): void;
  /** See {@link GlobalChannel.pushMessage}. */
  pushMessage(serverType: string, route: string, msg: any, cb?: PushCallback): void;
  pushMessage(
    serverType: string,
    route: string,
    msg: any,
    opts?: PushOptions | null,
    cb?: PushCallback,
  ): void;
  /** See {@link GlobalChannel.destroyChannel}. */
  destroyChannel(cb?: Callback): void;
  destroyChannel(opts: DestroyOptions | null | undefined, cb?: Callback): void;
  /** The same methods without the callback, as promises. */
  readonly promises: ChannelPromises;
}

/** The methods of {@link Channel} as promises; see {@link GlobalChannelPromises}. */
export interface ChannelPromises {
  /** See {@link GlobalChannel.add}. */
  add(uid: Uid | Uid[], sid: Id): Promise<number>;
  /** See {@link GlobalChannel.leave}. */
  leave(uid: Uid | Uid[], sid: Id | null): Promise<number>;
  /** See {@link GlobalChannel.getMembersBySid}. */
  getMembersBySid(sid: Id): Promise<string[]>;
  /** See {@link GlobalChannel.getCountBySid}. */
  getCountBySid(sid: Id): Promise<number>;
  /** See {@link GlobalChannel.getCount}. */
  getCount(serverType: string | null): Promise<number>;
  /** See {@link GlobalChannel.isMember}. */
  isMember(uid: Uid, sid: Id | null): Promise<boolean>;
  /** See {@link GlobalChannel.scanMembers}. */
  scanMembers(sid: Id, opts?: PageOptions | null): Promise<MemberPage>;
  /** See {@link GlobalChannel.addMany}. */
  addMany(members: Member[]): Promise<number>;
  /** See {@link GlobalChannel.leaveMany}. */
  leaveMany(members: Member[]): Promise<number>;
  /** See {@link GlobalChannel.getMembersByChannelNameBySid}. */
  getMembersByChannelNameBySid(serverType: string): Promise<MembersBySid>;
  /** See {@link GlobalChannel.getMembersByChannelName}. */
  getMembersByChannelName(serverType: string): Promise<string[]>;
  /** See {@link GlobalChannel.pushMessage}; resolves to `failedUids`. */
  pushMessage(
    serverType: string,
    route: string,
    msg: any,
    opts?: PushOptions | null,
  ): Promise<string[]>;
  /** See {@link GlobalChannel.destroyChannel}. */
  destroyChannel(opts?: DestroyOptions | null): Promise<void>;
}

/**
 * The events of an instance, by {@link GlobalChannel.on}: what happens to leases, with option `sessions`. They are local: each
 * process tells of what it sees and does itself. Of the members of a dead frontend those processes tell that have removed some.
 */
export interface GlobalChannelEvents {
  /** Another process has claimed the lease of this frontend. It is no authority any more, and writes nothing. */
  'lease-lost': { sid: string };
  /**
   * The lease of this frontend had expired, or another process has given it up, and is held again. With
   * `membership: 'session'`, the members that were removed meanwhile are put back by now, if their sessions are still open.
   */
  'lease-regained': { sid: string };
  /**
   * This process has removed what a dead frontend, or an earlier process of this frontend, has left: how many users from the
   * list of those online, and with `membership: 'session'` how many members.
   */
  purged: { sid: string; users: number; members: number };
}

/** Why members have joined or left a channel, or it was destroyed. */
export type ChangeReason =
  /** A method of the app was called. A member who is put back for option `membership: 'session'` joins with it too. */
  | 'call'
  /** The last session of the user has ended, or the frontend was stopped. */
  | 'close'
  /** The frontend is dead. */
  | 'purge'
  /** An earlier process of the frontend had left them. */
  | 'replaced'
  /** The channel was destroyed, or all were cleaned. */
  | 'destroy';

/** The events of a {@link ChannelWatch}, over all processes that have option `events`. */
export interface ChannelEvents {
  /** Users have become members on that frontend: in one step, and only those who were none. */
  join: { name: string; sid: string; reason: ChangeReason; uids: string[] };
  /** Members on that frontend are none any more, and only those who were. */
  leave: { name: string; sid: string; reason: ChangeReason; uids: string[] };
  /** The channel was removed on that frontend, with its `count` members. There is no `leave` for them. */
  destroy: { name: string; sid: string; reason: ChangeReason; count: number };
  /** The channel had no member on any frontend, and has one on `sid` now. Comes before that `join`; in a Redis Cluster after it. */
  occupied: { name: string; sid: string; reason: ChangeReason };
  /** The channel has lost its last member, on `sid`, and has had none on any frontend for `leaveDelay` since. */
  vacated: { name: string; sid: string; reason: ChangeReason };
  /**
   * Events may have been missed: read again what is needed of the channels. The first event of each watch is a gap with
   * reason `start`; `reconnect` comes when the subscription is there again after a lost connection, or in an embedded store that
   * was opened anew, `overrun` when this process was too slow, `moved` when slots of a Redis Cluster have moved, `unreadable`
   * when a message was none of this version.
   */
  gap: { reason: 'start' | 'reconnect' | 'moved' | 'overrun' | 'unreadable' };
}

/** Some channels that are watched; see {@link GlobalChannel.watch}. */
export interface ChannelWatch {
  /**
   * Calls `listener` at each event. What it throws becomes an `uncaughtException`.
   *
   * @example
   * ```ts
   * channel.watch('lobby').on('join', ({ uids, sid }) => console.log(`${uids} joined on ${sid}`));
   * ```
   */
  on<E extends keyof ChannelEvents>(event: E, listener: (told: ChannelEvents[E]) => void): this;
  /**
   * Calls `listener` at the next event only.
   *
   * @example
   * ```ts
   * channel.watch('lobby').once('vacated', () => console.log('the lobby is empty'));
   * ```
   */
  once<E extends keyof ChannelEvents>(event: E, listener: (told: ChannelEvents[E]) => void): this;
  /**
   * Ends what `on` or `once` has begun.
   *
   * @example
   * ```ts
   * const watch = channel.watch('lobby');
   * const count = ({ uids }: { uids: string[] }) => console.log(uids.length);
   * watch.on('join', count).off('join', count);
   * ```
   */
  off<E extends keyof ChannelEvents>(event: E, listener: (told: ChannelEvents[E]) => void): this;
  /**
   * Ends the watch.
   *
   * @example
   * ```ts
   * const watch = channel.watch({ prefix: 'room-' });
   * watch.close();
   * ```
   */
  close(): void;
}

/**
 * The global channel service; in an app, `app.get('globalChannelService')`.
 *
 * **Callbacks** are optional, and each is called exactly once. Calls that reach the store are answered asynchronously
 * and in call order (pushes also wait for their RPCs). A refused call, and one of a method of 0.0.7
 * without a frontend to ask, are answered before the method returns. A callback that throws causes an `uncaughtException` and does not affect the
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
  /** Option `cleanOnStartUp` as it was given; a text as the boolean that it means. */
  readonly cleanOnStartUp: boolean | undefined;
  /** The custom manager, or a description of the built-in store: of Redis, or of an embedded store with its folder. */
  readonly manager:
    | ChannelManager
    | EverywhereChannelManager
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
   * Waits up to 1 s for calls under way, then closes; pomelo and pinus call it. With option `sessions` a frontend first
   * releases its lease, for which it waits up to 0.5 s. Calls that are unanswered then get
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
   * Adds a user, or an array of users in one command, to the channel, or to each of an array of channels. `sid` is the
   * frontend that holds the user's session. Idempotent; an empty array succeeds and does nothing. With several channels
   * each is written by itself: after an error some of them may have been.
   *
   * A `sid` that is no frontend of the app is accepted here and in the methods below, but no push reaches its members: a
   * warning in the log names it, once.
   * @example
   * ```ts
   * channel.add('room-1', session.uid, session.frontendId, (err) => {
   *   if (err) console.error(err.code);
   * });
   * channel.add('room-1', ['alice', 'bob'], 'connector-1');
   * channel.add(['room-1', 'lobby'], 'carol', 'connector-1');
   * ```
   */
  add(name: Id | Id[], uid: Uid | Uid[], sid: Id, cb?: Callback): void;
  /**
   * Removes a user, or an array of users in one command, from the channel, or from each of an array of channels.
   * Idempotent.
   *
   * `sid` `null` means on all frontends that the store knows, also those that are gone: those to which a process of this
   * package has ever added members, those registered now, and those that the first call of this kind after the start
   * finds by a scan of the keys. What 0.0.7 adds later on a frontend that is not registered is not among them.
   * @example
   * ```ts
   * channel.leave('room-1', session.uid, session.frontendId, (err) => {
   *   if (err) console.error(err.code);
   * });
   * channel.leave('room-1', session.uid, null);
   * ```
   */
  leave(name: Id | Id[], uid: Uid | Uid[], sid: Id | null, cb?: Callback): void;
  /**
   * Adds users to the channel, each on its frontend, and tells how many of them are new. Idempotent, but what is sent
   * again after a lost connection counts only what was left to do. There is one command for each frontend: after an
   * error some of them may have taken effect. For `maxQueue` each frontend is a call.
   * @example
   * ```ts
   * const members = [
   *   { uid: 'alice', sid: 'connector-1' },
   *   { uid: 'bob', sid: 'connector-2' },
   * ];
   * channel.addMany('room-1', members, (err, count) => {
   *   if (!err) console.log(count, 'are new');
   * });
   * ```
   */
  addMany(name: Id, members: Member[], cb?: CountCallback): void;
  /**
   * Removes users from the channel, each on its frontend, and tells how many of them were members. As
   * {@link addMany} otherwise.
   * @example
   * ```ts
   * channel.leaveMany('room-1', [{ uid: 'alice', sid: 'connector-1' }], (err, count) => {
   *   if (!err) console.log(count, 'have left');
   * });
   * ```
   */
  leaveMany(name: Id, members: Member[], cb?: CountCallback): void;
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
   * Counts the channel's members on all frontends of type `serverType`: the sum of what {@link getCountBySid} answers
   * for each of them, so a user on two of them counts twice. All are asked in one round trip. `null` means all frontends
   * that the store knows, also those that are gone, as in {@link leave}.
   * @example
   * ```ts
   * channel.getCount('room-1', 'connector', (err, count) => {
   *   if (!err) console.log(count, 'members');
   * });
   * channel.getCount('room-1', null, (err, count) => {
   *   if (!err) console.log(count, 'members, on frontends of any type');
   * });
   * ```
   */
  getCount(name: Id, serverType: string | null, cb?: CountCallback): void;
  /**
   * Tells whether a user is a member of the channel on one frontend, or with `null` on any that the store knows, as in
   * {@link leave}. The store is asked each time (`SISMEMBER` in Redis), in call order, and no list is read.
   * @example
   * ```ts
   * channel.isMember('room-1', 'alice', 'connector-1', (err, isMember) => {
   *   if (!err && !isMember) console.log('alice has left');
   * });
   * channel.isMember('room-1', 'alice', null, (err, isMember) => {
   *   if (!err && isMember) console.log('alice is somewhere');
   * });
   * ```
   */
  isMember(name: Id, uid: Uid, sid: Id | null, cb?: IsMemberCallback): void;
  /**
   * Reads a part of the channel's members on one frontend, for lists that are too long to be read at once.
   *
   * A member who is there from the first page to the last is on one of them at least. Who joins or leaves meanwhile may
   * be on a page or not. In Redis (`SSCAN`) a member may be on several pages, and a page may have somewhat more members
   * than `limit`; a short list comes at once. If another server takes over between two pages, as after a failover, the
   * scan begins anew, and members come again. A page may be empty, and still have a cursor. In the embedded store the
   * members come in the order of their bytes, none of them twice.
   *
   * A cursor is for the same channel and frontend, and may be used by another process. Any other one, and a `limit` that
   * is no whole number from 1 to 10,000, fails with `ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT`.
   * @example
   * ```ts
   * async function printMembers() {
   *   let page = await channel.promises.scanMembers('room-1', 'connector-1', { limit: 1000 });
   *   console.log(page.members);
   *   while (page.cursor !== null) {
   *     const next = { cursor: page.cursor, limit: 1000 };
   *     page = await channel.promises.scanMembers('room-1', 'connector-1', next);
   *     console.log(page.members);
   *   }
   * }
   * ```
   */
  scanMembers(name: Id, sid: Id, cb?: MemberPageCallback): void;
  scanMembers(name: Id, sid: Id, opts?: PageOptions | null, cb?: MemberPageCallback): void;
  /**
   * Lists a part of the channels that have members, with the number of their members. They are counted on all frontends
   * that are known: those of the app, those that calls of this service have named, those in the index of the store (in
   * which 0.0.7 writes none), and those whose keys the scan has found so far.
   *
   * The store is never blocked: each call does a bounded number of steps (`SCAN` and `SCARD` in Redis, never `KEYS`), and
   * answers with what it has found by then, also with nothing and a cursor. The list is as consistent as that of `SCAN`: a
   * channel with a member on a frontend who stays from the first page to the last is on a page. One that comes or goes
   * meanwhile may be on a page or not. A page may have somewhat more channels than `limit`, or fewer: with many frontends, or
   * a slow store.
   *
   * A channel is on one page only, with three exceptions: if a page is asked for again, it has the same channels again; if
   * another process reads the following pages, or another server takes over, channels may come again, and so they may
   * after the first 16 MiB of names. Names with colons are those of the key up to its last colon.
   *
   * A cursor is for the same `match`; another one fails as that of {@link scanMembers}. A custom manager without
   * `getChannels`, or a server without `SCAN` for us, makes it fail with `ERR_GLOBAL_CHANNEL_UNSUPPORTED`.
   * @example
   * ```ts
   * channel.getChannels({ match: 'room-*', limit: 100 }, (err, page) => {
   *   if (err) return;
   *   for (const { name, count } of page.channels) console.log(name, count);
   *   // page.cursor is for the next page, or null.
   * });
   * ```
   */
  getChannels(cb?: ChannelPageCallback): void;
  getChannels(opts?: ChannelPageOptions | null, cb?: ChannelPageCallback): void;
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
   * Lists the channel's members on all frontends of type `serverType`, as `{sid: uids}`; those of an array of channels
   * as `{name: {sid: uids}}`. Each frontend of that type has its list, which may be empty. All lists are read in one
   * round trip, or come from the member cache. If one of them cannot be read, the call fails.
   * @example
   * ```ts
   * channel.getMembersByChannelNameBySid('connector', 'room-1', (err, lists) => {
   *   if (!err) console.log(lists['connector-1']); // ['alice', 'bob']
   * });
   * channel.getMembersByChannelNameBySid('connector', ['room-1', 'lobby'], (err, lists) => {
   *   if (!err) console.log(lists['lobby']?.['connector-1']);
   * });
   * ```
   */
  getMembersByChannelNameBySid(serverType: string, name: Id, cb?: MembersBySidCallback): void;
  getMembersByChannelNameBySid(serverType: string, names: Id[], cb?: MembersByNameCallback): void;
  /**
   * Sends `msg` to all members on frontends of type `serverType`, with one RPC to each frontend that has members.
   * `opts` reaches push schedulers as `userOptions`, as in pomelo.
   *
   * `failedUids` are the members whom the message did not reach: they have no session, or the RPC to their frontend
   * failed, was not answered within `pushTimeout`, or within 1 s after their frontend left the cluster. If the members of
   * some frontends cannot be read, the others still get the message. Uids that are names of `Object.prototype`
   * (`constructor`, `toString`, …) are always among them: pomelo and pinus cannot have a session with such a uid, and
   * would fail for the whole frontend.
   *
   * Errors: `ERR_GLOBAL_CHANNEL_PUSH_FAILED` if no frontend took the message although each has members (or could not be
   * read), or if the app has no RPC yet. If only some frontends have members and their RPCs fail, there is no error,
   * and the members are in `failedUids`. If no member could be read, the error is that of the read.
   *
   * `channelName` may be an array: a user in several of the channels gets one copy for each frontend on which he is a
   * member. `opts.except`, `opts.only`, `opts.exceptChannels` and `opts.sids` leave out users and frontends; an empty
   * `only` or `sids`, or no channel, is a push to no user.
   * @example
   * ```ts
   * channel.pushMessage('connector', 'onChat', { text: 'hello' }, 'room-1', (err, failedUids) => {
   *   if (err) console.error(err.code, err.cause);
   *   else if (failedUids.length > 0) console.warn('not reached:', failedUids);
   * });
   * const others = { except: session.uid, exceptChannels: 'muted' };
   * channel.pushMessage('connector', 'onChat', { text: 'hello' }, ['room-1', 'lobby'], others);
   * ```
   */
  pushMessage(
    serverType: string,
    route: string,
    msg: any,
    channelName: Id | Id[],
    cb?: PushCallback,
  ): void;
  pushMessage(
    serverType: string,
    route: string,
    msg: any,
    channelName: Id | Id[],
    opts?: PushOptions | null,
    cb?: PushCallback,
  ): void;
  /**
   * Sends `msg` to users of the frontend `opts.sid`, whether or not they are in a channel; the store is not asked. A uid
   * that is given twice gets one copy.
   * Without `opts.sid`, with option `sessions`, it goes to each frontend of type `serverType` on which a user is online, and
   * `failedUids` has those who are online on none of them too. `failedUids` and errors are as those of {@link pushMessage}
   * otherwise. Without both the error is `ERR_GLOBAL_CHANNEL_UNSUPPORTED`.
   * @example
   * ```ts
   * channel.pushMessageByUids('connector', 'onMail', { count: 3 }, ['alice', 'bob'], (err, failedUids) => {
   *   if (!err) console.log('not reached:', failedUids);
   * });
   * const opts = { sid: session.frontendId };
   * channel.pushMessageByUids('connector', 'onMail', { count: 3 }, session.uid, opts, (err, failedUids) => {
   *   if (!err && failedUids.length > 0) console.log('offline');
   * });
   * ```
   */
  pushMessageByUids(
    serverType: string,
    route: string,
    msg: any,
    uids: Id | Id[],
    cb?: PushCallback,
  ): void;
  pushMessageByUids(
    serverType: string,
    route: string,
    msg: any,
    uids: Id | Id[],
    opts?: PushByUidsOptions | null,
    cb?: PushCallback,
  ): void;
  /**
   * Tells on which frontends a user is online: those that have a session bound to the uid and hold their lease. An array of
   * uids is answered as `{uid: sids}`. It takes three round trips, however many frontends and uids there are (up to 8,192
   * of both multiplied; then one more for each further 8,192). Needs option `sessions`; otherwise the error is
   * `ERR_GLOBAL_CHANNEL_UNSUPPORTED`. What is promised, and when, is in docs/MEMBERSHIP.md.
   * @example
   * ```ts
   * channel.getSidsByUid('alice', (err, sids) => {
   *   if (!err) console.log(sids); // ['connector-1', 'connector-3']
   * });
   * channel.getSidsByUid(['alice', 'bob'], (err, sids) => {
   *   if (!err) console.log(sids['bob']); // [] if he is offline
   * });
   * ```
   */
  getSidsByUid(uids: Id[], cb?: SidsByUidCallback): void;
  getSidsByUid(uid: Id, cb?: SidsCallback): void;
  /**
   * Tells whether a user is online on any frontend; as {@link getSidsByUid} otherwise. An array of uids is answered as
   * `{uid: boolean}`.
   * @example
   * ```ts
   * channel.isOnline('alice', (err, isOnline) => {
   *   if (!err && !isOnline) console.log('alice is offline');
   * });
   * channel.isOnline(['alice', 'bob'], (err, areOnline) => {
   *   if (!err) console.log(Object.keys(areOnline).filter((uid) => areOnline[uid]));
   * });
   * ```
   */
  isOnline(uids: Id[], cb?: AreOnlineCallback): void;
  isOnline(uid: Id, cb?: IsOnlineCallback): void;
  /**
   * Counts the users online on frontends of type `serverType`, or with `null` on all frontends that hold their lease. Users
   * are counted for each frontend, and these counts are added up: one with several sessions on a frontend counts once, one
   * who is online on two frontends twice. No list is read. Needs option `sessions`.
   * @example
   * ```ts
   * channel.getOnlineCount(null, (err, count) => {
   *   if (!err) console.log(count, 'users online');
   * });
   * ```
   */
  getOnlineCount(serverType: string | null, cb?: CountCallback): void;
  /**
   * Lists the users who are online, page by page, frontend by frontend. A user who is online on one frontend from the first
   * page to the last comes at least once, one who is on several frontends once for each; those who come or go meanwhile may
   * come or not. A page may be somewhat longer or shorter than `limit`, also empty, and has a cursor unless it is the last.
   * If another server takes over between two pages, users of that frontend come again. A cursor that is none, or of another
   * kind of store, is `ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT`. Needs option `sessions`.
   * @example
   * ```ts
   * let cursor: string | null = null;
   * do {
   *   const page: { uids: string[]; cursor: string | null } = await channel.promises.getOnline({ cursor, limit: 500 });
   *   console.log(page.uids);
   *   cursor = page.cursor;
   * } while (cursor !== null);
   * channel.getOnline({ match: 'guest-*' }, (err, page) => {
   *   if (!err) console.log(page.uids, page.cursor);
   * });
   * ```
   */
  getOnline(opts?: OnlineOptions | null, cb?: OnlinePageCallback): void;
  getOnline(cb?: OnlinePageCallback): void;
  /**
   * The names of the channels in which a user is on one frontend, or with `null` on all frontends that the store knows; each
   * once, in no order. Needs option `membership: 'session'`; without it the error is `ERR_GLOBAL_CHANNEL_UNSUPPORTED`.
   * @example
   * ```ts
   * channel.getChannelsByUid('alice', null, (err, names) => {
   *   if (!err) console.log(names); // ['lobby', 'room-1']
   * });
   * ```
   */
  getChannelsByUid(uid: Id, sid: Id | null, cb?: MembersCallback): void;
  /**
   * Removes a user from all channels on one frontend, or with `null` on all frontends that the store knows. Answers the names
   * of those in which he was. Needs option `membership: 'session'`, as {@link getChannelsByUid}.
   * @example
   * ```ts
   * channel.leaveAll('alice', 'connector-1', (err, names) => {
   *   if (!err) console.log(names); // ['lobby', 'room-1']
   * });
   * ```
   */
  leaveAll(uid: Id, sid: Id | null, cb?: MembersCallback): void;
  /**
   * Sends `msg` to all sessions on frontends of type `serverType`, as the frameworks' own `broadcast` does, with one RPC
   * to each frontend; the store is not asked. It takes its turn among the calls of this service. `failedSids` are the
   * frontends whose RPC failed; the error is `ERR_GLOBAL_CHANNEL_PUSH_FAILED` if no frontend took the message.
   * @example
   * ```ts
   * channel.broadcast('connector', 'onNotice', { text: 'maintenance at noon' }, (err, failedSids) => {
   *   if (!err && failedSids.length > 0) console.warn('not reached:', failedSids);
   * });
   * channel.broadcast('connector', 'onNotice', { text: 'hello' }, { binded: true });
   * ```
   */
  broadcast(serverType: string, route: string, msg: any, cb?: BroadcastCallback): void;
  broadcast(
    serverType: string,
    route: string,
    msg: any,
    opts?: BroadcastOptions | null,
    cb?: BroadcastCallback,
  ): void;
  /**
   * Removes all members of the channel, or of each of an array of channels, on every frontend that is registered now, or
   * with {@link DestroyOptions.everywhere} on every frontend. Idempotent.
   * @example
   * ```ts
   * channel.destroyChannel('room-1', (err) => {
   *   if (err) console.error(err.code);
   * });
   * channel.destroyChannel(['room-1', 'room-2'], { everywhere: true });
   * ```
   */
  destroyChannel(name: Id | Id[], cb?: Callback): void;
  destroyChannel(name: Id | Id[], opts: DestroyOptions | null | undefined, cb?: Callback): void;
  /**
   * Removes all channels under `prefix` in the store (in Redis: in `db`), and nothing else. Calls made after it wait
   * for it. As a whole it has no time limit, but each of its steps has `commandTimeout`; the time of waiting calls
   * begins when it ends. The log says how many channels were removed, and why (this call, or `cleanOnStartUp`).
   * @example
   * ```ts
   * channel.clean((err) => {
   *   if (err) console.error(err.code);
   * });
   * ```
   */
  clean(cb?: Callback): void;

  /**
   * Returns an object for one channel, with the methods above that take its name, without that argument; see
   * {@link Channel}. The name is checked by each call.
   * @example
   * ```ts
   * const room = channel.channel('room-1');
   * room.leave('alice', 'connector-1');
   * room.destroyChannel((err) => {
   *   if (err) console.error(err.code);
   * });
   * ```
   */
  channel(name: Id): Channel;

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

  /**
   * Returns the counters of this instance in Prometheus' text format (version 0.0.4), with these labels added to each sample.
   * Labels that are none: `ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT` is thrown. See docs/OPERATE.md for the metrics.
   *
   * @example
   * ```ts
   * require('http')
   *   .createServer((_req: any, res: any) => {
   *     res.setHeader('Content-Type', 'text/plain; version=0.0.4');
   *     res.end(channel.metricsText({ server: 'chat-1' }));
   *   })
   *   .listen(9464, '127.0.0.1');
   * ```
   */
  metricsText(labels?: MetricLabels | null): string;

  /**
   * Adds the same metrics to a registry of the app's own prom-client (13, 14 or 15), which then has the figures of the moment of
   * each scrape. Several services may be in one registry: they get a label `instance` (1, 2, …) unless `labels` has one. Returns
   * a function that removes this service again.
   *
   * @example
   * ```ts
   * const client = require('prom-client');
   * const unregister = channel.registerMetrics({ client, labels: { server: 'chat-1' } });
   * console.log(client.register.contentType);
   * unregister();
   * ```
   */
  registerMetrics(options: MetricsOptions): () => void;

  /**
   * Watches channels: one, several, or all whose names begin with `prefix`. Needs option `events`, or a `channelManager` with a
   * method `watch`; without it the error that is thrown is `ERR_GLOBAL_CHANNEL_UNSUPPORTED`. May be called before `start`. Close
   * what is not needed any more. See docs/EVENTS.md.
   *
   * @example
   * ```ts
   * const watch = channel.watch({ prefix: 'room-' });
   * watch.on('gap', ({ reason }) => console.log(`read what is needed: ${reason}`));
   * watch.on('join', ({ name, uids, sid, reason }) => console.log(`${uids} joined ${name} on ${sid}: ${reason}`));
   * watch.on('vacated', ({ name }) => console.log(`${name} is empty`));
   * ```
   */
  watch(what: string | readonly string[] | { prefix: string }): ChannelWatch;

  /**
   * Calls `listener` each time that an event of option `sessions` happens in this process; see {@link GlobalChannelEvents}.
   * What it throws becomes an `uncaughtException`, as with callbacks. There is no event `error`.
   *
   * @example
   * ```ts
   * channel.on('lease-lost', ({ sid }) => console.error(`another process has the id ${sid}`));
   * channel.on('purged', ({ sid, users, members }) => console.warn(`${sid} is dead: ${users} users, ${members} members`));
   * ```
   */
  on<E extends keyof GlobalChannelEvents>(
    event: E,
    listener: (told: GlobalChannelEvents[E]) => void,
  ): this;
  /**
   * Calls `listener` the next time only.
   *
   * @example
   * ```ts
   * channel.once('lease-regained', ({ sid }) => console.warn(`${sid} was cut off for longer than its lease`));
   * ```
   */
  once<E extends keyof GlobalChannelEvents>(
    event: E,
    listener: (told: GlobalChannelEvents[E]) => void,
  ): this;
  /**
   * Ends what `on` or `once` has begun.
   *
   * @example
   * ```ts
   * const warn = () => console.warn('the lease was lost');
   * channel.on('lease-lost', warn);
   * channel.off('lease-lost', warn);
   * ```
   */
  off<E extends keyof GlobalChannelEvents>(
    event: E,
    listener: (told: GlobalChannelEvents[E]) => void,
  ): this;

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
    opts?: PushOptions | null,
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

/** What {@link registerAdmin} takes. */
export interface AdminOptions {
  /**
   * A scrape point for Prometheus on the master: `http://HOST:PORT/metrics` has the metrics of all servers, with the labels `server`
   * and `server_type`. Off by default; `host` is 127.0.0.1 by default.
   */
  metrics?: { port: number; host?: string };
}

/**
 * Registers module `globalChannel` of pomelo-admin (pinus-admin) on the master, before `app.start`. On all other servers the
 * plugin does it itself. The master does not connect to the store for it.
 * @throws `TypeError` if `metrics` has a wrong type or value.
 *
 * @example
 * ```ts
 * import { registerAdmin } from 'pome-globalchannel-plugin';
 *
 * app.configure('production|development', 'master', () => {
 *   registerAdmin(app, { metrics: { port: 9464 } });
 * });
 * ```
 */
export function registerAdmin(app: any, opts?: AdminOptions | null): void;
