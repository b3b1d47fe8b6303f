'use strict';

// What an operator can look at in a store, for the command line (bin/) and the inspector's page. Reads only. Each answer is bounded:
// what may be long comes in pages, and totals are counted by scans of at most `limit` keys.
//
//   openViews(address, {prefix, hashTag}) -> Views
//
// `address` is one of docs/CLI.md; throws ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT for any other. The store is connected to at the first
// question, and again after a lost connection. All methods return promises, which are rejected with an error that has a `code`.
//
//   overview({limit})     {store: {kind, name, version}, prefix, channels, members, frontends, leases: {held, expired, none},
//                         online, isComplete}
//                         kind: redis, sentinel, cluster or embedded; name: the address without secrets; version: text or null;
//                         isComplete: false if there are more than `limit` (100,000) keys: counts are then of these keys;
//                         channels: each name once; members: each on each frontend; frontends: all that are known;
//                         leases: how many of these frontends have a lease in that state;
//                         online: users with a lease that is held, on each frontend
//   frontends({limit})    {frontends: [{sid, lease, epoch, ttl, age, ends, isIndexed, online, channels, members}], isComplete}
//                         in the order of the sids. lease: held, expired or none; epoch: text or null; ttl: ms until it
//                         expires, 0 if it is not held; age: ms since it was released or swept, null if that is not known;
//                         ends: whether members end with their sessions (membership: 'session'); online: users in its list;
//                         channels and members: counted in `limit` keys at most, as in overview
//   channels({match, cursor, limit})
//                         {channels: [{name, count, frontends: [{sid, count}]}], cursor}
//                         match: a glob as of getChannels; frontends: those with members, in the order of the counts, most first
//   members({name, sid, cursor, limit})
//                         {name, count, frontends: [{sid, count}], members: [{uid, sid}], cursor}
//                         frontend by frontend; with `sid` only those on that one. count and frontends: of the whole channel
//   whois({uid, cursor, limit})
//                         {uid, online: [sid], channels: [{name, sid}], scanned, cursor}
//                         online: by leases that are held. The first page has the channels of the frontends with an index of
//                         members; the channels of others are found by a scan of the keys, `limit` (1000) on each further page;
//                         scanned: how many keys this page has looked at
//   problems({cursor, limit})
//                         {problems: [{kind, id, text, sid, key, count, command}], scanned, cursor}
//                         kind: one of KINDS; id: the same on all pages for the same problem, whose counts are to be added
//                         up; sid and key: null where there is none; command: a line of shell or JavaScript that mends it, or null
//   close()               ends the connection; resolves when it is closed
//
// `cursor` is null, or left out, for the first page, and null in the answer after the last one; a page may be empty and have a cursor.
// `limit` is 1 to 10,000, 100 by default (overview and frontends: 1 to 10,000,000). Bytes that are not UTF-8 read as U+FFFD. Texts are as they are in
// the store: with control characters and all else. What shows them escapes them.

/** The kinds of problems, each with what it means. */
const KINDS = {
  'expired-lease': 'a frontend whose lease has expired, and was not swept yet',
  'members-without-lease':
    'members on a frontend without a lease, in a store where leases are in use',
  'not-a-set': 'a key of a channel that is no set',
  'foreign-key': 'a key under the prefix that names no frontend',
  'index-without-member': 'an entry of the index of members without a member',
};

function openViews() {
  throw new Error('not made yet');
}

module.exports = { openViews, KINDS };
