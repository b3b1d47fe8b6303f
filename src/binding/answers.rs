//! How an instance answers: what comes from the store or from the host is matched with the calls,
//! and callbacks are called in call order, once each.

use std::rc::Rc;

use napi::bindgen_prelude::{JsObjectValue as _, JsValue as _, Object};

use super::{
    args,
    call::{Call, Kind, LATE, Late, Outcome},
    errors,
    host::Lists,
    js::{Args, Callback, Held},
    outbox::{Message, Payload},
    service::Service,
};
use crate::{
    driver::Event,
    error::{Error, Result},
};

/// Callbacks called in one go. More are left for the next turn of the event loop, so that a full
/// queue does not hold up timers and sockets.
const CALLBACKS: usize = 512;

impl Service {
    /// Messages from the runtime are there, or calls can be released. An error in one of them does
    /// not keep the others from being heard: it becomes an `uncaughtException`.
    pub fn on_wake(self: &Rc<Self>) -> napi::Result<()> {
        for message in self.take_messages() {
            if let Err(error) = self.on_message(message) {
                self.env.fatal_exception(error);
            }
        }
        if !self.resting.get() {
            self.release()?;
        }
        self.end_if_done()
    }

    fn on_message(self: &Rc<Self>, message: Message) -> napi::Result<()> {
        match message {
            Message::Answer(token, reply) if token >= LATE => {
                let late = self.late.borrow_mut().remove(&token);
                late.map_or(Ok(()), |late| self.reply_late(late, reply.map(drop)))
            }
            Message::Answer(seq, reply) => {
                self.calls.borrow_mut().settle(seq, Outcome::Store(reply));
                Ok(())
            }
            Message::Event(event) => self.on_event(event),
            Message::Nudge => Ok(()),
        }
    }

    fn on_event(self: &Rc<Self>, event: Event) -> napi::Result<()> {
        match event {
            Event::Started => self.store_started(),
            Event::StartFailed(error) => self.start_failed(&error),
            Event::Stopped => {
                self.store_ended();
                Ok(())
            }
            Event::Log(line) => {
                self.log("error", &line, Some("redis"));
                Ok(())
            }
            Event::Died(words) => self.on_died(words),
            // Turned into Message::Answer by the outbox.
            Event::Answer(..) => Ok(()),
        }
    }

    /// Calls back what is ready, in call order; what is too much for one turn of the event loop in
    /// the next one. (Not by the outbox: Node empties its queue within one turn.)
    fn release(self: &Rc<Self>) -> napi::Result<()> {
        for _ in 0..CALLBACKS {
            let Some((_, call, outcome)) = self.calls.borrow_mut().release() else {
                return Ok(());
            };
            // A scope for each: the lists of all of them together may be large.
            let done = self.env.run_in_scope(|| self.complete(call, outcome));
            if let Err(error) = done {
                self.env.fatal_exception(error);
            }
        }
        self.resting.set(true);
        let token = self.later(Late::Rested);
        self.host()?.wait(&self.env, token, 0)
    }

    fn complete(&self, call: Call, outcome: Outcome) -> napi::Result<()> {
        let env = &self.env;
        match (call.kind, outcome) {
            (Kind::Push { sids, held }, Outcome::Store(Ok(Payload::Members { json, errors }))) => {
                let lists = match self.host()?.read(env, json, Lists::Each) {
                    Ok(lists) => lists,
                    Err(error) => return self.fail(&Kind::Write, call.callback, &internal(&error)),
                };
                let args = Args::new().with(env, lists)?;
                let args = args.with(env, self.error_array(&errors)?)?;
                self.deliver(call.callback, sids, &held, args)
            }
            (Kind::Push { sids, held }, Outcome::Js(lists)) => {
                let args = Args::new().spread(&lists.get(env)?)?;
                self.deliver(call.callback, sids, &held, args)
            }
            (_, Outcome::Js(args)) => call
                .callback
                .call(env, Args::new().spread(&args.get(env)?)?),
            (kind, Outcome::Store(Ok(Payload::Members { json, errors }))) => {
                if let Some(error) = errors.iter().flatten().next() {
                    return self.fail(&kind, call.callback, error);
                }
                let shape = match kind {
                    Kind::List => Lists::Only,
                    _ => Lists::Joined,
                };
                let members = match self.host()?.read(env, json, shape) {
                    Ok(members) => members,
                    Err(error) => return self.fail(&kind, call.callback, &internal(&error)),
                };
                let args = Args::new().with_null(env)?.with(env, members)?;
                call.callback.call(env, args)
            }
            (_, Outcome::Store(Ok(Payload::Done))) => {
                call.callback.call(env, Args::new().with_null(env)?)
            }
            (kind, Outcome::Store(Err(error))) => self.fail(&kind, call.callback, &error),
        }
    }

    /// Calls back with an error, in the form that the method has in 0.0.7.
    pub fn fail(&self, kind: &Kind, callback: Callback, error: &Error) -> napi::Result<()> {
        if callback.is_none() && matches!(error, Error::InvalidArgument(_)) {
            self.log("warn", &error.to_string(), None);
            return Ok(());
        }
        let env = &self.env;
        let args = Args::new().with(env, errors::to_js(env, error)?)?;
        let args = match (kind, error) {
            (_, Error::InvalidState) | (Kind::Write | Kind::Push { .. }, _) => args,
            (Kind::List, _) => args.with(env, args::undefined(env)?)?,
            (Kind::Joined, _) => args.with_null(env)?,
        };
        callback.call(env, args)
    }

    /// Hands a push and its members to the host, which makes the RPCs.
    #[expect(clippy::cast_precision_loss, reason = "tokens stay below 2^53")]
    fn deliver(
        &self,
        callback: Callback,
        sids: Vec<String>,
        held: &Held,
        members: Args,
    ) -> napi::Result<()> {
        let env = &self.env;
        let token = self.later(Late::Push(callback));
        let args = Args::new().with(env, token as f64)?.with(env, sids)?;
        let args = args.append(members).with(env, held.get(env)?)?;
        let Err(error) = self.host()?.deliver(env, args) else {
            return Ok(());
        };
        let late = self.late.borrow_mut().remove(&token);
        match late {
            Some(Late::Push(callback)) => self.fail(&Kind::Write, callback, &internal(&error)),
            _ => Err(error),
        }
    }

    fn error_array(&self, errors: &[Option<Error>]) -> napi::Result<Object<'_>> {
        let mut array = self.env.create_array(0)?.coerce_to_object()?;
        for (index, error) in errors.iter().enumerate() {
            if let Some(error) = error {
                let index = u32::try_from(index).unwrap_or(u32::MAX);
                array.set_element(index, errors::to_js(&self.env, error)?)?;
            }
        }
        Ok(array)
    }

    /// The store's answer to something late.
    fn reply_late(self: &Rc<Self>, late: Late, reply: Result<()>) -> napi::Result<()> {
        match (late, reply) {
            (Late::CleanFirst, Ok(())) => self.started(),
            (Late::CleanFirst, Err(error)) => self.start_failed(&error),
            _ => Ok(()),
        }
    }

    /// The host's report on something late. One that is not there any more was answered already.
    pub fn settle_late(self: &Rc<Self>, token: u64, args: &Object) -> napi::Result<()> {
        let Some(late) = self.late.borrow_mut().remove(&token) else {
            return Ok(());
        };
        let failed = || {
            args.get_element::<napi::Unknown>(0)
                .and_then(|error| error.coerce_to_bool())
        };
        match late {
            Late::Push(callback) => {
                callback.call(&self.env, Args::new().spread(args)?)?;
            }
            Late::Start if !failed()? => self.store_started()?,
            Late::CleanFirst if !failed()? => self.started()?,
            Late::Start | Late::CleanFirst => {
                self.back_to_inited(false);
                for starter in self.starters.take() {
                    starter.call(&self.env, Args::new().spread(args)?)?;
                }
            }
            Late::Stop => {
                let stopped = || Outcome::Store(Err(Error::Stopped));
                self.calls.borrow_mut().settle_all(stopped);
                self.store_ended();
                self.nudge();
            }
            Late::Drained => self.fail_pushes()?,
            Late::Rested => {
                self.resting.set(false);
                self.release()?;
            }
        }
        self.end_if_done()
    }
}

/// What should not fail did: a list too long for JavaScript, a logger that throws.
fn internal(error: &napi::Error) -> Error {
    Error::Internal(error.reason.clone())
}
