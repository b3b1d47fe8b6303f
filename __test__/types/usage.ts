/**
 * TypeScript that uses the package as apps do: index.d.ts is written by hand, and this is what
 * `tsc -p .` holds it against. Each `@ts-expect-error` is a mistake that the types must catch.
 *
 * Lives here: types only; nothing of this is run. What the calls do is tested in the other suites.
 */

import 'reflect-metadata';
import { pinus } from 'pinus';
import plugin = require('pome-globalchannel-plugin');
import globalChannel, {
  components,
  createPinusPlugin,
  GlobalChannel,
} from 'pome-globalchannel-plugin';
import type {
  Application,
  ChannelManager,
  GlobalChannelError,
  GlobalChannelOptions,
} from 'pome-globalchannel-plugin';

declare const pomeloApp: Application & { use(plugin: { components: string }, opts: object): void };

// pomelo takes the module itself, however it was imported.
pomeloApp.use(plugin, { globalChannel: { host: '127.0.0.1', port: 6379 } });
pomeloApp.use(globalChannel, { globalChannel: {} });
pomeloApp.use({ components }, {});

// pinus checks the plugin against its own type, and its application is one of ours.
const pinusApp = pinus.createApp({ base: '.' });
pinusApp.use(createPinusPlugin(), { globalChannel: { cleanOnStartUp: true } });
const onPinus: GlobalChannel = new GlobalChannel(pinusApp);

const options: GlobalChannelOptions = {
  port: '6379',
  db: 2,
  prefix: 'MY',
  password: null,
  commandTimeout: 0,
  enable_offline_queue: false,
  max_attempts: false,
  socket_nodelay: true, // options of node_redis that we do not know are passed over
};
const service = new GlobalChannel(pomeloApp, options);
const state: 0 | 1 | 2 = service.state;

// @ts-expect-error a port is a number or a string
const badPort: GlobalChannelOptions = { port: {} };
// @ts-expect-error the application is needed
const noApp = new GlobalChannel();
// @ts-expect-error the state is for reading
service.state = 1;

function callbacks(): void {
  service.start((err) => {
    if (err) report(err);
  });
  service.add('room', 'ann', 'connector-1');
  service.add(
    7,
    ['ann', 8, Buffer.from('bob')],
    'connector-1',
    (err: GlobalChannelError | null) => err,
  );
  service.leave('room', 'ann', 'connector-1', (err) => err?.code);
  service.getMembersBySid('room', 'connector-1', (_err, members) =>
    members.map((uid) => uid.length),
  );
  service.getMembersByChannelName('connector', 'room', (_err, members: string[]) => members);
  service.pushMessage('connector', 'onChat', { text: 'hi' }, 'room', { scheduler: 1 }, pushed);
  service.pushMessage('connector', 'onChat', 'hi', 'room', null, pushed);
  service.pushMessage('connector', 'onChat', 'hi', 'room', pushed);
  service.pushMessage('connector', 'onChat', 'hi', 'room');
  service.destroyChannel('room');
  service.clean((err) => err);
  service.stop(true, () => {});
  service.stop(() => {});
  // @ts-expect-error a uid is no plain object
  service.add('room', {}, 'connector-1');
  // @ts-expect-error the callback comes last
  service.add('room', 'ann', () => {});
}

function pushed(err: GlobalChannelError | null, failedUids: string[]): void {
  if (err) report(err);
  console.log(failedUids.join());
}

function report(err: GlobalChannelError): string {
  // @ts-expect-error no such code
  if (err.code === 'ERR_SOMETHING') return '';
  return err.code === 'ERR_GLOBAL_CHANNEL_TIMEOUT' ? String(err.cause) : err.message;
}

async function promises(): Promise<string[]> {
  await service.promises.start();
  await service.promises.add('room', ['ann', 'bob'], 'connector-1');
  const failed: string[] = await service.promises.pushMessage('connector', 'onChat', {}, 'room');
  await service.promises.stop();
  return [...failed, ...(await onPinus.promises.getMembersBySid('room', 'connector-1'))];
}

// Custom managers: an object, a factory, a class, a factory that leaves it to Redis.
class MemoryManager implements ChannelManager {
  constructor(readonly app: Application) {}
  add(_name: string, _uid: string, _sid: string, cb: (err?: Error) => void): void {
    cb();
  }
  leave(_name: string, _uid: string, _sid: string, cb: (err?: Error) => void): void {
    cb();
  }
  getMembersBySid(_name: string, _sid: string, cb: (err: null, uids: string[]) => void): void {
    cb(null, []);
  }
  destroyChannel(_name: string, cb: (err?: Error) => void): void {
    cb();
  }
}
const managers: GlobalChannelOptions[] = [
  { channelManager: new MemoryManager(pomeloApp) },
  { channelManager: MemoryManager },
  { channelManager: (app) => new MemoryManager(app) },
  { channelManager: (_app, opts) => void opts.host },
  // @ts-expect-error a manager has at least add, leave, getMembersBySid and destroyChannel
  { channelManager: { add() {} } },
];

export { badPort, callbacks, managers, noApp, promises, state };
