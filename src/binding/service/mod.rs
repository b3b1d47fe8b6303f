//! The state of one instance, and what its parts share. Start and stop are in [`lifecycle`], the methods in [`calls`],
//! the answers in [`crate::binding::answers`].
//!
//! Everything here runs on one JavaScript thread. No `RefCell` is borrowed while JavaScript runs, because a callback
//! may call any method.

mod admission;
pub(in crate::binding) mod call;
pub(in crate::binding) mod calls;
pub(in crate::binding) mod early;
mod everywhere;
mod frontends;
mod halves;
mod keys;
pub(in crate::binding) mod lifecycle;
mod lone;
mod membership;
pub(in crate::binding) mod packing;
mod pages;
pub(in crate::binding) mod panic;
pub(in crate::binding) mod pushes;
pub(in crate::binding) mod questions;
mod sessions;
mod sids;
mod unindexed;
mod users;
mod watch;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    sync::Arc,
};

use napi::{Env, Unknown, ValueType, bindgen_prelude::Object};

use crate::{
    binding::{
        answers::{
            outbox::Outbox,
            shared_arrays::SharedArrays,
            tape::{Shape, Tape},
        },
        class::stats::Counts,
        host::Host,
        methods::Kind,
        service::{
            call::{Call, Ending, LATE, Late, Outcome, State},
            early::Early,
            questions::Questions,
            sids::Sids,
        },
        values::{
            args, errors,
            js::{Args, Callback, call_back},
        },
    },
    driver::{DriverHandle, Event, Input},
    error::{Error, Result},
    events::{feed::Feed, listener::ListenerHandle},
    failpoints::may_panic,
    keys::KeyLayout,
    list::Released,
    options::Options,
    queue::Batch,
    sequencer::Sequencer,
    size_limits::Sizes,
    stats::Stats,
};

/// The service behind one `GlobalChannel`.
pub struct Service {
    pub env: Env,
    pub keys: KeyLayout,
    pub options: Options,
    /// The maximum sizes of keys and members.
    pub sizes: Sizes,
    pub state: Cell<State>,
    /// The calls that wait for the start (option `waitForStart`).
    pub early: Early,
    /// The JavaScript side, from `start` to the end of `stop`: see [`Service::hold_host`].
    pub host: RefCell<Option<Rc<Host>>>,
    custom: Cell<bool>,
    /// The unanswered calls to the store, in call order.
    pub calls: RefCell<Sequencer<Call, Outcome>>,
    /// The number of the oldest call whose callback may still wait in JavaScript. Calls on a tape that is being read
    /// are released already, and keep their places until their callbacks are called.
    pub oldest: Cell<u64>,
    /// What is in flight besides, by token.
    pub late: RefCell<BTreeMap<u64, Late>>,
    /// The number of pushes that wait for their frontends.
    pub pushes: Cell<usize>,
    next_late: Cell<u64>,
    pub starters: RefCell<Vec<Callback>>,
    pub stoppers: RefCell<Vec<Callback>>,
    pub driver: RefCell<Option<DriverHandle>>,
    pub lone: lone::Lone,
    pub halves: halves::Halves,
    /// The packed calls of this tick, for the driver.
    pub input: RefCell<Input>,
    /// Whether their hand-over at the end of the tick is scheduled.
    soon: Cell<bool>,
    /// When the first of them was made.
    tick: Cell<u64>,
    pub outbox: RefCell<Option<Outbox>>,
    /// What was received of the channels that are watched.
    pub feed: Arc<Feed>,
    /// The subscription, from `start` to the end of `stop`.
    pub listener: RefCell<Option<ListenerHandle>>,
    /// The message of the panic that ended the driver or the service.
    pub died: RefCell<Option<String>>,
    pub ending: Cell<Ending>,
    /// The questions to functions among the options that are not answered yet.
    pub questions: RefCell<Questions>,
    sids: RefCell<Sids>,
    /// Whether callbacks are being called.
    pub releasing: Cell<bool>,
    /// Whether answers wait for the next turn of the event loop.
    pub resting: Cell<bool>,
    /// Kept, like `tape`, to reuse its memory; empty while not in use.
    pub events: RefCell<Vec<Event>>,
    pub tape: RefCell<Tape>,
    pub masters: RefCell<SharedArrays>,
    pub counts: Counts,
    /// The counters of driver and manager.
    pub stats: Arc<Stats>,
    /// The lists that the cache has released.
    pub released: Arc<Released>,
}

impl Service {
    /// Makes a service that is not started.
    pub fn new(env: Env, options: Options) -> Rc<Self> {
        let feed = Arc::new(Feed::new(options.hash_tag));
        Rc::new(Self {
            env,
            keys: options.keys(),
            sizes: options.store.sizes(),
            early: Early::new(options.wait_for_start),
            options,
            state: Cell::new(State::Inited),
            host: RefCell::default(),
            custom: Cell::new(false),
            calls: RefCell::default(),
            oldest: Cell::default(),
            late: RefCell::default(),
            pushes: Cell::default(),
            next_late: Cell::new(LATE),
            starters: RefCell::default(),
            stoppers: RefCell::default(),
            driver: RefCell::default(),
            lone: lone::Lone::default(),
            halves: halves::Halves::default(),
            input: RefCell::default(),
            soon: Cell::new(false),
            tick: Cell::default(),
            outbox: RefCell::default(),
            feed,
            listener: RefCell::default(),
            died: RefCell::default(),
            ending: Cell::new(Ending::No),
            questions: RefCell::default(),
            sids: RefCell::default(),
            releasing: Cell::new(false),
            resting: Cell::new(false),
            events: RefCell::default(),
            tape: RefCell::default(),
            masters: RefCell::default(),
            counts: Counts::new(),
            stats: Arc::default(),
            released: Arc::default(),
        })
    }

    /// Holds the JavaScript side of the instance until the service has ended or the start has failed. Not earlier: the
    /// host refers to the app, the app to the instance, and the instance to this service, so an instance that is never
    /// started could not be collected.
    pub fn hold_host(&self, channel: &Object) -> napi::Result<()> {
        if self.host.borrow().is_none() {
            let host = Host::of(&self.env, channel)?;
            self.custom.set(host.is_custom());
            *self.host.borrow_mut() = Some(Rc::new(host));
        }
        Ok(())
    }

    /// Returns the JavaScript side, while it is held.
    pub fn host(&self) -> napi::Result<Rc<Host>> {
        let host = self.host.borrow().clone();
        host.ok_or_else(|| errors::to_throw(&self.env, &Error::InvalidState))
    }

    /// Writes a line to the log, while the host is held.
    pub fn log(&self, level: &str, line: &str, part: Option<&str>) {
        let host = self.host.borrow().clone();
        if let Some(host) = host {
            // The host's log does not throw, and an error could not be reported anywhere else.
            let _ = host.log(&self.env, level, line, part);
        }
    }

    /// Returns whether a custom manager replaces the store.
    pub fn is_custom(&self) -> bool {
        self.custom.get()
    }

    /// Checks whether a call may go to the store now; the error says why not.
    pub fn admit(&self) -> Result<()> {
        self.admit_parts(1)
    }

    /// The same for a call of this number of parts.
    pub fn admit_parts(&self, parts: usize) -> Result<()> {
        let limit = self.options.max_queue;
        if self.state.get() != State::Started {
            // With `waitForStart` a call that is not kept is one too many.
            let full = self.early.keeps.get();
            return Err(if full {
                Error::QueueFull { limit }
            } else {
                Error::InvalidState
            });
        }
        if let Some(words) = &*self.died.borrow() {
            return Err(Error::Internal(words.clone()));
        }
        if self.unanswered().saturating_add(parts.max(1)) > limit {
            return Err(Error::QueueFull { limit });
        }
        Ok(())
    }

    /// Returns the number of unanswered calls.
    pub fn unanswered(&self) -> usize {
        self.calls.borrow().len() + self.pushes.get() + self.early.count.get()
    }

    /// Returns the time of the calls of this tick, in microseconds (see [`crate::binding::class::stats`]).
    pub fn tick(&self) -> u64 {
        if self.input.borrow().calls.is_empty() {
            self.tick.set(self.counts.clock());
        }
        self.tick.get()
    }

    /// Schedules the hand-over of the packed calls: at the end of the tick, or after the callbacks that are being
    /// called.
    pub fn flush_soon(&self, host: &Host) -> napi::Result<()> {
        if self.releasing.get() || self.soon.replace(true) {
            return Ok(());
        }
        host.soon(&self.env)
    }

    /// Hands over the packed calls at the end of the tick.
    pub fn on_soon(&self) {
        self.soon.set(false);
        may_panic("flush");
        self.flush();
    }

    /// Hands the packed calls over to the driver.
    pub fn flush(&self) {
        let mut input = self.input.borrow_mut();
        if let Some(driver) = &*self.driver.borrow()
            && !Batch::is_empty(&*input)
        {
            self.note_in_flight();
            self.hand_over(driver, &mut input);
        }
    }

    /// Calls the custom manager, which settles `token`.
    #[expect(clippy::cast_precision_loss, reason = "tokens stay below 2^53")]
    pub fn execute(&self, token: u64, op: &str, args: Args) -> napi::Result<()> {
        let head = Args::new()
            .with(&self.env, token as f64)?
            .with(&self.env, op)?;
        self.host()?.execute(&self.env, head.append(args))
    }

    /// Schedules a look at the calls that can be released.
    pub fn nudge(&self) {
        if let Some(outbox) = &*self.outbox.borrow() {
            outbox.nudge();
        }
    }

    /// Takes the events that have arrived from the store.
    pub fn take_events(&self, events: &mut Vec<Event>) {
        if let Some(outbox) = &*self.outbox.borrow() {
            outbox.take(events);
        }
    }

    /// Makes a token for a [`Late`].
    pub fn later(&self, late: Late) -> u64 {
        let token = self.next_late.get();
        self.next_late.set(token + 1);
        self.late.borrow_mut().insert(token, late);
        token
    }

    /// Makes the JavaScript error for a callback, and counts it.
    pub fn error(&self, error: &Error) -> napi::Result<Object<'_>> {
        self.counts.error(error);
        errors::to_js(&self.env, error)
    }

    /// Answers a call that is refused, before its method returns.
    pub fn refuse(&self, kind: Kind, callback: &Unknown, error: &Error) -> napi::Result<()> {
        let env = &self.env;
        let args = Args::new().with(env, self.error(error)?)?;
        let args = match (error, kind.shape()) {
            (Error::InvalidState, _) | (_, Shape::Plain) => args,
            (_, Shape::Undefined) => args.with(env, args::undefined(env)?)?,
            (_, Shape::Null) => args.with_null(env)?,
        };
        if matches!(error, Error::InvalidArgument(_)) && callback.get_type()? != ValueType::Function
        {
            self.log("warn", &error.to_string(), None);
        }
        call_back(env, callback, args)
    }

    /// Calls a held callback with an error.
    pub fn fail(&self, callback: Callback, error: &Error) -> napi::Result<()> {
        let args = Args::new().with(&self.env, self.error(error)?)?;
        callback.call(&self.env, args)
    }

    /// Handles the host's report that `token` has ended; `args` are the arguments of a [`Late`]'s callback. Returns
    /// whether it is a call whose answer counts.
    pub fn settle(self: &Rc<Self>, token: u64, args: &Object) -> napi::Result<bool> {
        if token >= LATE {
            return self.settle_late(token, args).map(|()| false);
        }
        let counts = self.calls.borrow_mut().settle(token, Outcome::Own);
        if counts {
            self.nudge();
        }
        Ok(counts)
    }
}
