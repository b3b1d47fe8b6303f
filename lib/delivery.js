'use strict';

// How a push gets to the frontends: one RPC for each frontend that has members, each answered
// once and in time whatever `app.rpcInvoke` does, and a truthful list of who was not reached.
// Who the members are is decided before; see src/binding/.

const { words } = require('./logger');

/** Makes `deliver(token, sids, lists, errors, [route, msg, opts])`. */
module.exports = function createDelivery(app, log, { settle, failure, pushTimeout }, beforeRpc) {
  return function deliver(token, sids, lists, errors, [route, msg, opts]) {
    const readError = errors.find(Boolean);
    const targets = [];
    sids.forEach((sid, i) => {
      if (!errors[i] && lists[i] && lists[i].length > 0) {
        targets.push({ sid, uids: lists[i] });
      }
    });
    if (targets.length === 0) {
      // With a failed read nobody knows whether there was somebody to push to.
      settle(token, readError ? [readError] : [null, []]);
      return;
    }
    // Looked up at each push: pomelo puts it there only when the app has started.
    if (typeof app.rpcInvoke !== 'function') {
      const why = ': app.rpcInvoke is not there yet, the app has not finished starting';
      settle(token, [failure('push', readError, why)]);
      return;
    }
    // A frontend that has nobody in the channel, or was not asked, counts as 0.0.7 counted it.
    const mustReachSomebody = Boolean(readError) || targets.length === sids.length;
    invokeAll(targets, (reached, failedUids, cause) => {
      if (reached === 0 && mustReachSomebody) {
        settle(token, [failure('push', cause, null)]);
      } else {
        settle(token, [null, failedUids]);
      }
    });

    function invokeAll(frontends, done) {
      const failed = [];
      let pending = frontends.length;
      let reached = 0;
      let cause;
      const answers = frontends.map(({ sid, uids }, i) => {
        let answered = false;
        return (err, fails) => {
          if (answered) {
            return;
          }
          answered = true;
          if (err) {
            log('error', `[pushMessage] fail to dispatch msg to ${sid}: ${words(err)}`);
            cause = cause || err;
            failed[i] = uids;
          } else {
            reached += 1;
            failed[i] = fails || [];
          }
          pending -= 1;
          if (pending === 0) {
            clearTimeout(timer);
            done(reached, [].concat(...failed), cause);
          }
        };
      });
      // Unreferenced: a service keeps its process alive itself, and must not after its stop.
      const timer = pushTimeout > 0 ? setTimeout(expire, pushTimeout).unref() : undefined;
      frontends.forEach(({ sid, uids }, i) => invoke(sid, uids, answers[i]));

      function expire() {
        const late = new Error(
          `no answer from the frontend within ${pushTimeout} ms (pushTimeout)`,
        );
        answers.forEach((answer) => answer(late));
      }
    }

    function invoke(sid, uids, answer) {
      try {
        beforeRpc(sid);
        app.rpcInvoke(
          sid,
          {
            namespace: 'sys',
            service: 'channelRemote',
            method: 'pushMessage',
            // A copy: `uids` are the failed ones if this fails, whatever the receiver does to it.
            // The last argument is what pomelo's own channels send: push schedulers read it.
            args: [
              route,
              msg,
              uids.slice(),
              { type: 'push', userOptions: opts || {}, isPush: true },
            ],
          },
          answer,
        );
      } catch (err) {
        answer(err || new Error('app.rpcInvoke threw'));
      }
    }
  };
};
