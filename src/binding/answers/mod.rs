//! Answers calls: matches results of the store and the host with the calls, and passes them to JavaScript in call
//! order, many at a time. How they are encoded is in [`answer_encoder`].

pub(in crate::binding) mod answer_encoder;
pub(in crate::binding) mod outbox;
pub(in crate::binding) mod shared_arrays;
pub(in crate::binding) mod tape;

use std::rc::Rc;

use napi::{
    Unknown,
    bindgen_prelude::{JsObjectValue as _, JsValue as _, Object},
};

use crate::{
    app::Level,
    binding::{
        service::{
            Service,
            call::{CLEAN_CALLED, CLEAN_FIRST, Ending, LATE, Late, Outcome},
            panic::caught,
        },
        values::{errors, js::Args},
    },
    command::Reply,
    driver::Event,
    error::{Error, Result},
    failpoints::may_panic,
};

/// The maximum number of callbacks called, or of kept calls made, in one turn of the event loop, so that a full queue does
/// not delay timers and sockets.
pub const CALLBACKS: usize = 512;

/// The load that JavaScript parses and copies in one turn of the event loop (see [`Tape::load`]), which the last list
/// may exceed: a few milliseconds of work. While text is parsed it takes its memory twice.
const LOAD: usize = 1 << 18;

/// The number of events for which memory is kept.
const EVENTS: usize = 4096;

impl Service {
    /// Handles events from the runtime and releases calls. An error in one of them becomes an `uncaughtException` and
    /// does not stop the others.
    pub fn on_wake(self: &Rc<Self>) -> napi::Result<()> {
        let mut events = self.events.take();
        self.take_events(&mut events);
        for event in events.drain(..) {
            if let Err(error) = self.on_event(event) {
                errors::report(&self.env, error);
            }
        }
        events.shrink_to(EVENTS);
        self.events.replace(events);
        if !self.resting.get() {
            self.release()?;
        }
        self.end_if_done()
    }

    fn on_event(self: &Rc<Self>, event: Event) -> napi::Result<()> {
        may_panic("wake");
        match event {
            Event::Answer(token, reply) if token >= LATE => {
                self.log_cleaned(&reply, CLEAN_FIRST);
                let late = self.late.borrow_mut().remove(&token);
                late.map_or(Ok(()), |late| self.reply_late(late, reply))
            }
            Event::Answer(seq, reply) => {
                self.log_cleaned(&reply, CLEAN_CALLED);
                self.calls.borrow_mut().settle(seq, Outcome::Store(reply));
                Ok(())
            }
            Event::Started => self.store_started(),
            Event::StartFailed(error) => self.start_failed(&error),
            Event::Stopped => {
                self.store_ended();
                Ok(())
            }
            Event::Log(line) => {
                self.log("error", &line, Some(self.options.store.name()));
                Ok(())
            }
            Event::Note(level, line) => {
                let level = match level {
                    Level::Info => "info",
                    Level::Warn => "warn",
                };
                self.log(level, &line, Some(self.options.store.name()));
                Ok(())
            }
            Event::Changed => self.pass_changes(),
            Event::Ask(question) => self.on_question(*question),
            Event::Died(words) => self.on_died(words),
        }
    }

    /// Logs the end of a `clean`, and why it ran.
    fn log_cleaned(&self, reply: &Result<Reply>, why: &str) {
        if let Ok(Reply::Removed(removed)) = reply {
            let stem = self.keys.stem();
            let stem = String::from_utf8_lossy(&stem);
            let line = format!(
                "clean removed {removed} channels (counted by frontend) under {stem}, because {why}"
            );
            self.log("info", &line, Some(self.options.store.name()));
        }
    }

    /// Answers what is ready, in call order. What is too much for one turn of the event loop waits for the next (not in
    /// the outbox, whose queue Node empties within one turn).
    fn release(self: &Rc<Self>) -> napi::Result<()> {
        // Not re-entrant: a callback may run the event loop, and the answers before it come first.
        if self.releasing.replace(true) {
            return Ok(());
        }
        let (mut left, mut load) = (CALLBACKS, 0);
        self.forget_masters();
        let mut done = Ok(());
        let mut goes_on = true;
        while goes_on && left > 0 && load < LOAD {
            // A scope for each tape: the lists on it may be large.
            let written = self.env.run_in_scope(|| self.answer_some(left, &mut load));
            match written {
                Ok(count) => {
                    left -= count.min(left);
                    // A callback may have made a call that needs nothing from the store.
                    goes_on = count > 0 && self.calls.borrow().ready().is_some();
                }
                Err(error) => {
                    goes_on = false;
                    done = Err(error);
                }
            }
        }
        self.releasing.set(false);
        self.flush();
        done?;
        if left == 0 || load >= LOAD {
            self.resting.set(true);
            let token = self.later(Late::Rested);
            self.host()?.wait(&self.env, token, 0)?;
        }
        Ok(())
    }

    /// Answers up to `most` calls; returns their number, and adds to the load that this means for JavaScript.
    fn answer_some(&self, most: usize, load: &mut usize) -> napi::Result<usize> {
        let mut tape = self.tape.take();
        let room = LOAD - *load;
        let count = caught(|| self.write_some(&mut tape, most, room))
            .unwrap_or_else(|words| self.write_lost(&mut tape, words))?;
        *load += tape.load();
        // Without a host there are no shared arrays to drop and no calls to answer.
        let host = self.host.borrow().clone();
        let answered = match host {
            Some(host) if !tape.words().is_empty() => host.answer(&self.env, &tape),
            _ => Ok(()),
        };
        self.oldest.set(self.calls.borrow().first());
        tape.clear();
        self.tape.replace(tape);
        answered.map(|()| count)
    }

    /// Handles the store's answer to a [`Late`].
    fn reply_late(self: &Rc<Self>, late: Late, reply: Result<Reply>) -> napi::Result<()> {
        match (late, reply) {
            (Late::CleanFirst, Ok(_)) => self.store_ready(),
            (Late::CleanFirst, Err(error)) => self.start_failed(&error),
            (Late::Registry(callback, glob), reply) => {
                self.answer_registry(callback, glob.as_deref(), reply)
            }
            _ => Ok(()),
        }
    }

    /// Handles the host's report on a [`Late`]. One that does not exist any more was answered already.
    pub fn settle_late(self: &Rc<Self>, token: u64, args: &Object) -> napi::Result<()> {
        let Some(late) = self.late.borrow_mut().remove(&token) else {
            return Ok(());
        };
        let failed = || {
            args.get_element::<napi::Unknown>(0)
                .and_then(|error| error.coerce_to_bool())
        };
        match late {
            Late::Start if !failed()? => self.store_started()?,
            Late::CleanFirst if !failed()? => self.store_ready()?,
            Late::Claim if !failed()? => self.started()?,
            Late::Start | Late::CleanFirst | Late::Claim => {
                let error: Unknown = args.get_element(0)?;
                self.counts.foreign_error(&self.env, &error);
                let starters = self.starters.take();
                let host = self.host.borrow().clone();
                self.back_to_inited(false);
                self.refuse_kept(host, error)?;
                for starter in starters {
                    starter.call(&self.env, Args::new().spread(args)?)?;
                }
            }
            Late::Release => self.stop_driver(),
            Late::Stop => {
                let stopped = || Outcome::Store(Err(Error::Stopped));
                self.calls.borrow_mut().settle_all(stopped);
                self.store_ended();
                self.nudge();
            }
            // The store answers it, not the host.
            Late::Registry(..) => {}
            // None if the service has ended early.
            Late::Drained if self.ending.get() == Ending::Done => {}
            Late::Drained => self.host()?.fail_pushes(&self.env)?,
            Late::Kept => self.make_kept()?,
            Late::Rested => {
                self.resting.set(false);
                self.release()?;
            }
        }
        self.end_if_done()
    }

    /// Counts a push that the host is about to answer.
    pub fn push_settled(&self) {
        self.pushes.set(self.pushes.get().saturating_sub(1));
        if self.ending.get() != Ending::No {
            self.nudge();
        }
    }
}
