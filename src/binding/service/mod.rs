//! One instance: what it is made of, and what everything that it does needs. Its life, from start to
//! stop, is in [`lifecycle`], its methods in [`calls`], how calls are answered in
//! [`crate::binding::answers`].
//!
//! Everything here runs on one JavaScript thread. No `RefCell` is borrowed while JavaScript runs:
//! a callback may call any method.

pub(in crate::binding) mod call;
pub(in crate::binding) mod calls;
pub(in crate::binding) mod lifecycle;
pub(in crate::binding) mod packing;
pub(in crate::binding) mod panic;

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
        service::call::{Call, Ending, LATE, Late, Outcome, State},
        values::{
            args, errors,
            js::{Args, Callback, call_back},
        },
    },
    driver::{DriverHandle, Event, Input},
    error::{Error, Result},
    failpoints::may_panic,
    keys::KeyLayout,
    list::Released,
    options::Options,
    queue::Batch,
    sequencer::Sequencer,
    size_limits::Sizes,
    stats::Stats,
};

/// See the module.
pub struct Service {
    pub env: Env,
    pub keys: KeyLayout,
    pub options: Options,
    /// How long keys and members may be.
    pub sizes: Sizes,
    pub state: Cell<State>,
    /// There while the service is: see [`Service::hold_host`].
    pub host: RefCell<Option<Rc<Host>>>,
    custom: Cell<bool>,
    /// Calls to the store that are not answered, in call order.
    pub calls: RefCell<Sequencer<Call, Outcome>>,
    /// The oldest call whose callback may still wait in JavaScript. Those on the tape that is being
    /// played are released already, and keep their places until they are called.
    pub oldest: Cell<u64>,
    /// What is under way besides.
    pub late: RefCell<BTreeMap<u64, Late>>,
    /// How many pushes wait for their frontends.
    pub pushes: Cell<usize>,
    next_late: Cell<u64>,
    pub starters: RefCell<Vec<Callback>>,
    pub stoppers: RefCell<Vec<Callback>>,
    pub driver: RefCell<Option<DriverHandle>>,
    /// Calls of this tick, on their way to the driver.
    pub input: RefCell<Input>,
    /// They will be handed over at the end of the tick.
    soon: Cell<bool>,
    /// When the first of them was made.
    tick: Cell<u64>,
    pub outbox: RefCell<Option<Outbox>>,
    /// Why the driver is gone, if it is before its time.
    pub died: RefCell<Option<String>>,
    pub ending: Cell<Ending>,
    /// Answers are being given.
    pub releasing: Cell<bool>,
    /// Answers wait for the next turn of the event loop.
    pub resting: Cell<bool>,
    /// Empty but while in use, kept for its memory, as is `tape`.
    pub events: RefCell<Vec<Event>>,
    pub tape: RefCell<Tape>,
    pub masters: RefCell<SharedArrays>,
    pub counts: Counts,
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
            keys: options.keys(),
            sizes: options.store.sizes(),
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
            input: RefCell::default(),
            soon: Cell::new(false),
            tick: Cell::default(),
            outbox: RefCell::default(),
            died: RefCell::default(),
            ending: Cell::new(Ending::No),
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

    /// Whether a custom manager replaces the store.
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
        if self.unanswered() >= limit {
            return Err(Error::QueueFull { limit });
        }
        Ok(())
    }

    /// How many calls have no answer.
    pub fn unanswered(&self) -> usize {
        self.calls.borrow().len() + self.pushes.get()
    }

    /// When the calls were made that go to the store with the next one.
    pub fn tick(&self) -> u64 {
        if self.input.borrow().calls.is_empty() {
            self.tick.set(self.counts.clock());
        }
        self.tick.get()
    }

    /// Has the packed calls handed over at the end of the tick, or of the answers that are being
    /// given.
    pub fn flush_soon(&self, host: &Host) -> napi::Result<()> {
        if self.releasing.get() || self.soon.replace(true) {
            return Ok(());
        }
        host.soon(&self.env)
    }

    /// The end of the tick.
    pub fn on_soon(&self) {
        self.soon.set(false);
        may_panic("flush");
        self.flush();
    }

    /// Hands over the packed calls.
    pub fn flush(&self) {
        let mut input = self.input.borrow_mut();
        if let Some(driver) = &*self.driver.borrow()
            && !Batch::is_empty(&*input)
        {
            driver.push(&mut input);
        }
    }

    /// Sends a `clean` to the store that is something late.
    pub fn send_clean(&self, token: u64) {
        let stem = self.keys.stem();
        self.input.borrow_mut().calls.push_clean(token, &stem);
        self.flush();
    }

    /// Gives something to the custom manager; it is settled under `token`.
    #[expect(clippy::cast_precision_loss, reason = "tokens stay below 2^53")]
    pub fn execute(&self, token: u64, op: &str, args: Args) -> napi::Result<()> {
        let head = Args::new()
            .with(&self.env, token as f64)?
            .with(&self.env, op)?;
        self.host()?.execute(&self.env, head.append(args))
    }

    /// Has the calls looked through soon.
    pub fn nudge(&self) {
        if let Some(outbox) = &*self.outbox.borrow() {
            outbox.nudge();
        }
    }

    /// What has come from the store.
    pub fn take_events(&self, events: &mut Vec<Event>) {
        if let Some(outbox) = &*self.outbox.borrow() {
            outbox.take(events);
        }
    }

    /// A token for something late.
    pub fn later(&self, late: Late) -> u64 {
        let token = self.next_late.get();
        self.next_late.set(token + 1);
        self.late.borrow_mut().insert(token, late);
        token
    }

    /// An error for a callback.
    pub fn error(&self, error: &Error) -> napi::Result<Object<'_>> {
        self.counts.error(error);
        errors::to_js(&self.env, error)
    }

    /// Tells the callback of a call that is not taken, at once.
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

    /// Tells a held callback of an error.
    pub fn fail(&self, callback: Callback, error: &Error) -> napi::Result<()> {
        let args = Args::new().with(&self.env, self.error(error)?)?;
        callback.call(&self.env, args)
    }

    /// What the host reports: `token` has ended, something late with these arguments for its
    /// callback. Says whether it is a call whose answer counts.
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
