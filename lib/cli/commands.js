'use strict';

// The table of the commands: a row has what it does, what follows its name (`argument`), the options that it needs and takes, the
// words of its help, and what runs it. Help, checks of the arguments and docs/CLI.md follow it.

/** Of the commands that count. */
const COUNTED =
  'Counts are made by a scan of at most --limit keys (1000000 by default, at most 2000000).';

const VIEW = ['prefix', 'hash-tag', 'json'];

const lazily = (file, name) => (values) => require(file)[name](values);

const commands = {
  copy: {
    summary: 'adds all members of one store to another, and compares the counts',
    needs: ['from', 'to'],
    takes: ['prefix', 'from-layout', 'to-prefix'],
    help: `It removes nothing, and may be interrupted and run again. Stop the servers first: what changes meanwhile is reported, not
followed.

FORK is aslijia, dbrugne, dubanflorin, ertko, frank198, homolumo, netease (0.0.7 itself), pofresh, pome or whtiehack: the
channels in FROM are in the layout of that fork, --prefix is its prefix (its own default without), and they are copied in
the layout of 0.0.7. Their keys get the prefix of --to-prefix; without it --prefix, or POMELO:CHANNEL.`,
    run: lazily('./copy', 'copy'),
  },
  list: {
    summary: 'prints a line of JSON for each channel and frontend: {"key":…,"members":[…]}',
    needs: ['from'],
    takes: ['prefix', 'from-layout', 'to-prefix'],
    help: `With --from-layout it prints what copy would write.`,
    run: lazily('./copy', 'list'),
  },
  stats: {
    summary:
      'shows the store, and how many channels, members, frontends and online users there are',
    needs: ['from'],
    takes: [...VIEW, 'limit'],
    help: COUNTED,
    run: lazily('./views', 'stats'),
  },
  frontends: {
    summary: 'shows the frontends with their leases, and how many users and members they have',
    needs: ['from'],
    takes: [...VIEW, 'limit'],
    help: COUNTED,
    run: lazily('./views', 'frontends'),
  },
  channels: {
    summary: 'shows a page of the channels, and how their members are spread over frontends',
    needs: ['from'],
    takes: [...VIEW, 'match', 'limit', 'cursor'],
    help: `GLOB is a pattern of the whole name, as of getChannels: *, ?, [a-z], [^a] and \\. About --limit channels (100) are shown;
--cursor goes on where another page has ended.`,
    run: lazily('./views', 'channels'),
  },
  members: {
    summary: 'shows a page of the members of a channel, frontend by frontend',
    argument: 'name',
    needs: ['from'],
    takes: [...VIEW, 'sid', 'limit', 'cursor'],
    help: `About --limit members (100) are shown; --cursor goes on where another page has ended. With --sid only those on that
frontend. A NAME that begins with a - comes after --.`,
    run: lazily('./views', 'members'),
  },
  whois: {
    summary: 'shows where a user is online, and in which channels he is',
    argument: 'uid',
    needs: ['from'],
    takes: VIEW,
    help: `All keys under the prefix are looked at, in small steps. A UID that begins with a - comes after --.`,
    run: lazily('./views', 'whois'),
  },
  problems: {
    summary: 'shows what looks wrong, each with the command that mends it',
    needs: ['from'],
    takes: VIEW,
    help: `All keys under the prefix are looked at, in small steps. The exit code is 3 if something was found.`,
    run: lazily('./views', 'problems'),
  },
  inspect: {
    summary: 'serves a page that shows all of these, to be opened in a browser on this machine',
    needs: ['from'],
    takes: ['prefix', 'hash-tag', 'port', 'events'],
    help: `It prints the address of the page, with a token, as its first line, and serves until Ctrl-C. The page only reads. Without
--port it takes a free one. With --events the page can show who joins and leaves: the changes of servers with option events.`,
    run: lazily('./inspect', 'inspect'),
  },
  remove: {
    summary: 'removes what a frontend that is gone has left: its members, its users, its lease',
    needs: ['from', 'sid'],
    takes: ['prefix', 'hash-tag', 'dry-run', 'json'],
    help: `It fails while the frontend holds its lease. Without leases (option sessions) it cannot know whether the frontend is gone:
make sure of it. With --dry-run it only counts.`,
    run: lazily('./remove', 'remove'),
  },
};

module.exports = { commands };
