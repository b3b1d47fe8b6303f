//! One instance and its calls on their way to the store. Its life, from start to stop, is in
//! [`super::life`]; how calls are answered in [`super::answers`]; arguments are read in
//! [`super::class`].
//!
//! Everything here runs on one JavaScript thread. No `RefCell` is borrowed while JavaScript runs:
//! a callback may call any method.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    sync::Arc,
};

use napi::{Env, bindgen_prelude::Object};

use super::{
    call::{Call, Ending, LATE, Late, Outcome, State},
    errors,
    host::Host,
    js::{Args, Callback, Held},
    outbox::{Message, Outbox},
};
use crate::{
    command::Command,
    engine::Engine,
    error::{Error, Result},
    keys::KeyLayout,
    list::Released,
    options::Options,
    sequencer::Sequencer,
    stats::Stats,
};

/// See the module.
pub struct Service {
    pub env: Env,
    pub keys: KeyLayout,
    pub options: Options,
    pub state: Cell<State>,
    /// There while the service is: see [`Service::hold_host`].
    pub host: RefCell<Option<Rc<Host>>>,
    custom: Cell<bool>,
    /// Calls to the store that are not answered, in call order.
    pub calls: RefCell<Sequencer<Call, Outcome>>,
    /// What is not answered and does not hold up others.
    pub late: RefCell<BTreeMap<u64, Late>>,
    next_late: Cell<u64>,
    pub starters: RefCell<Vec<Callback>>,
    pub stoppers: RefCell<Vec<Callback>>,
    pub engine: RefCell<Option<Engine>>,
    pub outbox: RefCell<Option<Outbox>>,
    /// Why the driver is gone, if it is before its time.
    pub died: RefCell<Option<String>>,
    pub ending: Cell<Ending>,
    /// Callbacks wait for the next turn of the event loop.
    pub resting: Cell<bool>,
    /// What driver and manager count.
    pub stats: Arc<Stats>,
    /// Kept lists that are gone.
    pub released: Arc<Released>,
}

impl Service {
    /// An instance that is not started.
    pub fn new(env: Env, options: Options) -> Rc<Self> {
        Rc::new(Self {
            env,
            keys: KeyLayout::new(&options.prefix),
            options,
            state: Cell::new(State::Inited),
            host: RefCell::default(),
            custom: Cell::new(false),
            calls: RefCell::default(),
            late: RefCell::default(),
            next_late: Cell::new(LATE),
            starters: RefCell::default(),
            stoppers: RefCell::default(),
            engine: RefCell::default(),
            outbox: RefCell::default(),
            died: RefCell::default(),
            ending: Cell::new(Ending::No),
            resting: Cell::new(false),
            stats: Arc::default(),
            released: Arc::default(),
        })
    }

    /// Takes hold of its JavaScript side, from the instance, until it has ended or the start has
    /// failed. Not before: the host holds the app, which holds the instance, which holds us; an
    /// instance that nobody starts could never be collected.
    pub fn hold_host(&self, channel: &Object) -> napi::Result<()> {
        if self.host.borrow().is_none() {
            let host = Host::of(&self.env, channel)?;
            self.custom.set(host.is_custom());
            *self.host.borrow_mut() = Some(Rc::new(host));
        }
        Ok(())
    }

    /// Its JavaScript side.
    pub fn host(&self) -> napi::Result<Rc<Host>> {
        let host = self.host.borrow().clone();
        host.ok_or_else(|| errors::to_throw(&self.env, &Error::InvalidState))
    }

    /// Writes to the log, while there is one.
    pub fn log(&self, level: &str, line: &str, part: Option<&str>) {
        let host = self.host.borrow().clone();
        if let Some(host) = host {
            // The host's log does not throw; and if it did, there is no better place to say so.
            let _ = host.log(&self.env, level, line, part);
        }
    }

    /// Whether a custom manager replaces Redis.
    pub fn is_custom(&self) -> bool {
        self.custom.get()
    }

    /// Whether a call may go to the store now; otherwise why not.
    pub fn admit(&self) -> Result<()> {
        if self.state.get() != State::Started {
            return Err(Error::InvalidState);
        }
        if let Some(words) = &*self.died.borrow() {
            return Err(Error::Internal(words.clone()));
        }
        let limit = self.options.max_queue;
        if self.calls.borrow().len() + self.late.borrow().len() >= limit {
            return Err(Error::QueueFull { limit });
        }
        Ok(())
    }

    /// Sends a call to Redis.
    pub fn call(&self, call: Call, command: Command) -> napi::Result<()> {
        if let Some(call) = self.still_admitted(call)? {
            let seq = self.calls.borrow_mut().push(call);
            self.send(seq, command);
        }
        Ok(())
    }

    /// Sends something to Redis under a token.
    pub fn send(&self, token: u64, command: Command) {
        if let Some(engine) = &*self.engine.borrow() {
            engine.call(token, command);
        }
    }

    /// Gives a call to the custom manager.
    pub fn call_custom(&self, call: Call, op: &str, args: Args) -> napi::Result<()> {
        let Some(call) = self.still_admitted(call)? else {
            return Ok(());
        };
        let seq = self.calls.borrow_mut().push(call);
        self.execute(seq, op, args)
    }

    /// Reading the arguments may have run JavaScript (a getter, the app's look-up of servers), and
    /// that may have called `stop`.
    fn still_admitted(&self, call: Call) -> napi::Result<Option<Call>> {
        match self.admit() {
            Ok(()) => Ok(Some(call)),
            Err(error) => self.fail(&call.kind, call.callback, &error).map(|()| None),
        }
    }

    /// Gives something to the custom manager; it is settled under `token`.
    #[expect(clippy::cast_precision_loss, reason = "tokens stay below 2^53")]
    pub fn execute(&self, token: u64, op: &str, args: Args) -> napi::Result<()> {
        let head = Args::new()
            .with(&self.env, token as f64)?
            .with(&self.env, op)?;
        self.host()?.execute(&self.env, head.append(args))
    }

    /// Answers a call without the store, in its turn.
    pub fn answer_in_turn(&self, call: Call, outcome: Outcome) -> napi::Result<()> {
        let Some(call) = self.still_admitted(call)? else {
            return Ok(());
        };
        let mut calls = self.calls.borrow_mut();
        let seq = calls.push(call);
        calls.settle(seq, outcome);
        drop(calls);
        self.nudge();
        Ok(())
    }

    /// Has the calls looked through soon.
    pub fn nudge(&self) {
        if let Some(outbox) = &*self.outbox.borrow() {
            outbox.push([Message::Nudge]);
        }
    }

    /// What has come from the store.
    pub fn take_messages(&self) -> Vec<Message> {
        let outbox = self.outbox.borrow();
        outbox.as_ref().map(Outbox::take).unwrap_or_default()
    }

    /// A token for something late.
    pub fn later(&self, late: Late) -> u64 {
        let token = self.next_late.get();
        self.next_late.set(token + 1);
        self.late.borrow_mut().insert(token, late);
        token
    }

    /// Calls a callback with nothing but an error, at once.
    pub fn refuse(&self, callback: Callback, error: &Error) -> napi::Result<()> {
        let args = Args::new().with(&self.env, errors::to_js(&self.env, error)?)?;
        callback.call(&self.env, args)
    }

    /// What the host reports: `token` has ended, with these arguments for its callback.
    pub fn settle(self: &Rc<Self>, token: u64, args: &Object) -> napi::Result<()> {
        if token >= LATE {
            return self.settle_late(token, args);
        }
        let held = Held::new(&self.env, args)?;
        if self.calls.borrow_mut().settle(token, Outcome::Js(held)) {
            self.nudge();
        }
        Ok(())
    }
}
