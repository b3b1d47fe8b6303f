'use strict';

/**
 * Random histories of calls against a model in memory: each answer is what the calls before it make of the sets, whether they
 * were answered or not, and the RPCs of pushes are to the users that the model has. A history that fails is shrunk. The
 * methods are in commands.js. `MODEL_RUNS=n` sets the number of histories.
 */

const assert = require('node:assert');
const fc = require('fast-check');
const tables = require('../../lib/tables');
const { createApp } = require('./app');
const { ok } = require('./call');
const { COMMANDS, GONE, Model, NAMES, SIDS, UIDS, rpc } = require('./commands');
const { logged } = require('./log');

const RUNS = Number(process.env.MODEL_RUNS) || 100;

const UNSUPPORTED = { code: 'ERR_GLOBAL_CHANNEL_UNSUPPORTED' };

/** A stub application whose frontends answer as in the model. */
const modelApp = () => createApp({ rpc });

/** A call of one of the methods for which `test` holds. */
const callOf = (test) =>
  fc.oneof(
    ...Object.entries(COMMANDS)
      .filter(([method]) => test(method))
      .map(([method, { weight = 1, args }]) => ({
        weight: weight * 10,
        arbitrary: args.map((given) => [method, ...given]),
      })),
  );

const calls = (call, maxLength) => fc.array(call, { minLength: 1, maxLength, size: 'max' });

/** Steps: calls of one tick, made by one of the services. Each step is answered before the next. */
const STEP = fc.oneof(
  fc.tuple(
    fc.nat(5),
    calls(
      callOf(() => true),
      12,
    ),
  ),
  // While no list changes, answers and combinations of lists that were kept are used again.
  fc.tuple(
    fc.nat(5),
    calls(
      callOf((method) => tables.methods[method]?.value),
      24,
    ),
  ),
);
const HISTORY = fc.array(STEP, { maxLength: 16, size: 'max' });

const byText = (a, b) => (a < b ? -1 : Number(a > b));

/** Lists come in the order of the store; `text` is what a member of a list is compared as. */
function sorted(value, text) {
  if (Array.isArray(value)) {
    const isOfChannels = value.every((each) => each?.name !== undefined);
    return isOfChannels
      ? value.slice().sort((a, b) => byText(a.name, b.name))
      : value.map(text).sort(byText);
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, sorted(each, text)]));
}

/** What kind of service it is: 0.0.7, one with a custom manager, which keeps uids as it likes, or one of ours. */
function kindOf(service) {
  if (!service.promises) return { isOld: true, text: String };
  const isCustom = typeof service.manager.add === 'function';
  const isIndexed = service.stats().sessions !== null;
  return { isOld: false, isCustom, isIndexed, text: isCustom ? String : (uid) => uid };
}

/** The answer to a call: `{value}`, or `{code}` of its error, and its `message`. */
async function answerOf(service, method, args) {
  try {
    if (service.promises) return { value: await service.promises[method](...args) };
    return { value: await ok(service, method, ...args) };
  } catch (err) {
    if (!err.code) throw err;
    return { code: err.code, message: `${err.message}; ${err.cause}` };
  }
}

/** The RPCs that the service made, `[[route, sid, uids], …]`, without uids if they are to all sessions. */
function rpcsOf({ app }) {
  return app.rpcCalls.splice(0).map(({ sid, msg: { method, args } }) => {
    // As JSON, in which it is sent.
    const { userOptions } = JSON.parse(JSON.stringify(args[args.length - 1]));
    assert.deepStrictEqual(userOptions, { filter: 'kept' }, 'options for schedulers');
    return [args[0], sid, method === 'broadcast' ? null : sorted(args[2], String)];
  });
}

/** Makes the calls of one step in one tick, and compares their answers and RPCs. */
async function step(service, model, calls) {
  const { isOld, isCustom, isIndexed, text } = kindOf(service);
  const isRead = ([method]) => Boolean(tables.methods[method].value);
  const made = calls.map(([method, ...args], at) => {
    const { run, isOwn, isCounted, isScan, isIndexed: needsIndex } = COMMANDS[method];
    const lacks =
      (isCustom && isOwn && typeof service.manager[method] !== 'function') ||
      (needsIndex && !isIndexed);
    const answer = answerOf(service, method, args);
    const expected = lacks ? UNSUPPORTED : run(model, ...args);
    const isSettled = !isScan || calls.slice(at + 1).every(isRead);
    const isTold = isSettled && !(isCounted && (isCustom || isOld));
    return { call: JSON.stringify([method, ...args]), answer, expected, isTold, isScan };
  });
  // All of them, so that none is under way when the history is shrunk.
  await Promise.allSettled(made.map(({ answer }) => answer));
  for (const { call, answer, expected, isTold, isScan } of made) {
    const { value, code, message } = await answer;
    // Pages that are not the last: the server had more keys to go through.
    if (isScan && value?.cursor) continue;
    if (expected?.code || code || isTold) {
      const [got, wanted] = [code ? { code } : sorted(value, text), sorted(expected, text)];
      assert.deepStrictEqual(got, wanted, message && `${call}: ${message}`);
    }
  }
  const [sent, expected] = [rpcsOf(service), model.sent.splice(0)];
  // The answers of a custom manager come in its own time.
  const inOrder = (rpcs) => (isCustom ? rpcs.map((rpc) => JSON.stringify(rpc)).sort() : rpcs);
  assert.deepStrictEqual(inOrder(sent), inOrder(expected), 'RPCs');
}

let plays = 0;

/** Arguments in which a frontend that is gone has a name of its own in this history, which no service knows at first. */
function ofPlay(value) {
  if (value === GONE) return `${value}-${plays}`;
  if (Array.isArray(value)) return value.map(ofPlay);
  return value?.sid === GONE ? { ...value, sid: ofPlay(GONE) } : value;
}

async function play(services, history) {
  plays += 1;
  const { isCustom } = kindOf(services[0]);
  if (isCustom) await Promise.all(SIDS.map((sid) => ok(services[0], 'leave', NAMES, UIDS, sid)));
  else await ok(services[0], 'destroyChannel', NAMES, { everywhere: true });
  // What a history that failed has left.
  for (const { app } of services) app.rpcCalls.length = 0;
  const model = new Model();
  for (const [by, calls] of history) {
    const service = services[by % services.length];
    const { isOld } = kindOf(service);
    const can = ([method, ...args]) =>
      (!isOld || Boolean(COMMANDS[method].old?.(...args))) &&
      (!isCustom || !COMMANDS[method].isEverywhere?.(...args));
    const chosen = calls.filter(can);
    await step(service, model, isCustom ? chosen : chosen.map(ofPlay));
  }
}

/** Plays random histories on services that share a store, made with {@link modelApp}; the first is one of ours. */
async function checkModel(services, numRuns = RUNS) {
  const property = fc.asyncProperty(HISTORY, (history) => play(services, history));
  const options = { numRuns, includeErrorInReport: true };
  // Each failed RPC is a line of the log.
  await logged(() => fc.assert(property, options));
}

module.exports = { checkModel, modelApp };
