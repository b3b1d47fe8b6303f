//! How an instance answers: what comes from the store or from the host is matched with the calls,
//! and goes to JavaScript in call order, many answers at a time.

use std::{rc::Rc, sync::Arc};

use napi::{
    bindgen_prelude::{JsObjectValue as _, JsValue as _, Object},
    sys,
};

use super::{
    call::{Ending, Kind, LATE, Late, Outcome},
    errors,
    guard::caught,
    js::Args,
    service::Service,
    tape::{Shape, Tape, Word},
};
use crate::{
    broken::may_panic,
    command::Reply,
    driver::Event,
    error::{Error, Result},
    list::List,
};

/// Callbacks called in one turn of the event loop. More are left for the next one, so that a full
/// queue does not hold up timers and sockets.
const CALLBACKS: usize = 512;

/// What JavaScript parses and copies in one turn of the event loop (see [`Tape::load`]), the last list apart:
/// a few milliseconds' work. Text that it parses is there twice meanwhile.
const LOAD: usize = 1 << 18;

/// Events for which memory is kept.
const EVENTS: usize = 4096;

impl Service {
    /// Events from the runtime are there, or calls can be released. An error in one of them does
    /// not keep the others from being heard: it becomes an `uncaughtException`.
    pub fn on_wake(self: &Rc<Self>) -> napi::Result<()> {
        let mut events = self.events.take();
        self.take_events(&mut events);
        for event in events.drain(..) {
            if let Err(error) = self.on_event(event) {
                self.env.fatal_exception(error);
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
                let late = self.late.borrow_mut().remove(&token);
                late.map_or(Ok(()), |late| self.reply_late(late, reply.map(drop)))
            }
            Event::Answer(seq, reply) => {
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
            Event::Died(words) => self.on_died(words),
        }
    }

    /// Answers what is ready, in call order; what is too much for one turn of the event loop in the
    /// next one. (Not by the outbox: Node empties its queue within one turn.)
    fn release(self: &Rc<Self>) -> napi::Result<()> {
        // A callback that runs the event loop gets nothing from it: others come first.
        if self.releasing.replace(true) {
            return Ok(());
        }
        let (mut left, mut load) = (CALLBACKS, 0);
        self.forget_masters();
        let mut done = Ok(());
        while done.is_ok() && left > 0 && load < LOAD {
            // A scope for each tape: the lists on it may be large.
            let written = self.env.run_in_scope(|| self.answer_some(left, &mut load));
            match written {
                Ok(0) => break,
                Ok(count) => left -= count.min(left),
                Err(error) => done = Err(error),
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

    /// Answers up to `most` calls; says how many, and adds up what JavaScript has to do for that.
    fn answer_some(&self, most: usize, load: &mut usize) -> napi::Result<usize> {
        let mut tape = self.tape.take();
        let room = LOAD - *load;
        let count = caught(|| self.write_some(&mut tape, most, room))
            .unwrap_or_else(|words| self.write_lost(&mut tape, words))?;
        *load += tape.load();
        // Without a host there are no masters to forget any more, and nobody to answer.
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

    /// Writes the answers to up to `most` calls on the tape, until they are a load of `room`; says to how many.
    fn write_some(&self, tape: &mut Tape, most: usize, room: usize) -> napi::Result<usize> {
        let mut count = 0;
        let mut latencies = self.counts.latencies();
        while count < most && tape.load() < room {
            let grown = self.write_pieces(tape, room);
            if let Ok(false) = grown {
                break;
            }
            let Some((_, call, outcome)) = self.calls.borrow_mut().release() else {
                break;
            };
            may_panic("tape");
            latencies.add(call.at);
            let written = grown.and_then(|_| self.write_answer(tape, call.kind, outcome));
            if let Err(failed) = written {
                // A list too long for JavaScript. Nothing of the answer is on the tape.
                let error = Error::Internal(failed.reason.clone());
                self.write_error(tape, call.kind.shape(), &error)?;
            }
            count += 1;
        }
        drop(latencies);
        for id in tape.take_passing() {
            self.forget_master(tape, id);
        }
        Ok(count)
    }

    /// Writes what JavaScript lacks of the long lists of the next answer, as much as there is room for; says whether it
    /// has all of them.
    fn write_pieces(&self, tape: &mut Tape, room: usize) -> napi::Result<bool> {
        let calls = self.calls.borrow();
        let Some(Outcome::Store(Ok(Reply::Members(lists)))) = calls.ready() else {
            return Ok(true);
        };
        let mut masters = self.masters.borrow_mut();
        for list in lists.iter().flatten().filter(|list| list.pieces() > 1) {
            while let Some((slot, piece)) = masters.lacks(list.id()) {
                if tape.load() >= room {
                    return Ok(false);
                }
                let text = tape.text(&self.env, list.piece(piece), list.is_ascii())?;
                tape.word(Word::Piece, slot as usize);
                tape.value(text);
                masters.grown(list.id(), list.pieces());
            }
        }
        // Not sooner: what is for one tape only must be all on it.
        for list in lists.iter().flatten() {
            if list.pieces() > 1 && !list.is_kept() {
                tape.passing(list.id());
            }
        }
        Ok(true)
    }

    /// Writing the tape panicked. The calls that were released for it must be answered all the same: else JavaScript
    /// would give the next answers to the wrong ones.
    fn write_lost(&self, tape: &mut Tape, words: String) -> napi::Result<usize> {
        *tape = Tape::default();
        self.masters.take();
        let error = Error::Internal(words.clone());
        self.on_died(words)?;
        let lost = self.calls.borrow().first() - self.oldest.get();
        for _ in 0..lost {
            self.write_error(tape, Shape::Plain, &error)?;
        }
        Ok(usize::try_from(lost).unwrap_or(usize::MAX))
    }

    /// Writes the answer to a call on the tape.
    fn write_answer(&self, tape: &mut Tape, kind: Kind, outcome: Outcome) -> napi::Result<()> {
        match outcome {
            Outcome::Store(Ok(Reply::Done)) => tape.done(),
            Outcome::Store(Ok(Reply::Members(lists))) => self.write_members(tape, kind, &lists)?,
            Outcome::Store(Err(error)) => self.write_error(tape, kind.shape(), &error)?,
            Outcome::Own if kind == Kind::PushMessage => {
                tape.word(Word::OwnPush, 0);
                self.push_released();
            }
            Outcome::Own => tape.word(Word::Own, 0),
        }
        Ok(())
    }

    fn write_members(
        &self,
        tape: &mut Tape,
        kind: Kind,
        lists: &[Result<Arc<List>>],
    ) -> napi::Result<()> {
        if kind == Kind::PushMessage {
            self.write_lists(tape, Word::Push, lists)?;
            self.push_released();
            return Ok(());
        }
        if let Some(error) = lists.iter().find_map(|list| list.as_ref().err()) {
            return self.write_error(tape, kind.shape(), error);
        }
        let word = match kind {
            Kind::GetMembersBySid => Word::List,
            _ => Word::Joined,
        };
        self.write_lists(tape, word, lists)
    }

    /// Lists, each as what it can be had from: a master, a text, or the error in its place.
    fn write_lists(
        &self,
        tape: &mut Tape,
        word: Word,
        lists: &[Result<Arc<List>>],
    ) -> napi::Result<()> {
        let mut items = Vec::with_capacity(lists.len());
        for list in lists {
            items.push(match list {
                Ok(list) => self.item(tape, list)?,
                Err(error) => Item::Value(errors::to_js(&self.env, error)?.raw()),
            });
        }
        tape.word(word, items.len());
        for item in items {
            match item {
                Item::Master(slot, members) => tape.master(slot, members),
                Item::Value(value) => tape.value(value),
            }
        }
        Ok(())
    }

    /// A list that the cache keeps has a master, and for one tape so has a list with which several
    /// calls are answered, or that came in pieces.
    fn item(&self, tape: &mut Tape, list: &Arc<List>) -> napi::Result<Item> {
        let is_whole = list.pieces() == 1;
        if is_whole && !list.is_kept() && Arc::strong_count(list) == 1 {
            let text = tape.text(&self.env, list.json(), list.is_ascii())?;
            return Ok(Item::Value(text));
        }
        let mut masters = self.masters.borrow_mut();
        if let Some(slot) = masters.find(list.id()) {
            return Ok(Item::Master(slot, list.len()));
        }
        let text = tape.text(&self.env, list.json(), list.is_ascii())?;
        let slot = masters.add(list.id());
        tape.word(Word::Master, slot as usize);
        tape.value(text);
        if !list.is_kept() {
            tape.passing(list.id());
        }
        Ok(Item::Master(slot, list.len()))
    }

    fn write_error(&self, tape: &mut Tape, shape: Shape, error: &Error) -> napi::Result<()> {
        let value = self.error(error)?.raw();
        tape.word(Word::Fail, shape as usize);
        tape.value(value);
        Ok(())
    }

    /// Lists that the cache has let go need no master any more; the next tape says so.
    fn forget_masters(&self) {
        let mut tape = self.tape.borrow_mut();
        for id in self.released.take() {
            self.forget_master(&mut tape, id);
        }
    }

    fn forget_master(&self, tape: &mut Tape, id: u64) {
        if let Some(slot) = self.masters.borrow_mut().remove(id) {
            tape.word(Word::Forget, slot as usize);
        }
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
            Late::Start if !failed()? => self.store_started()?,
            Late::CleanFirst if !failed()? => self.started()?,
            Late::Start | Late::CleanFirst => {
                self.counts.foreign_error(&self.env, &args.get_element(0)?);
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
            // Nobody is left when the service has ended before its time.
            Late::Drained if self.ending.get() == Ending::Done => {}
            Late::Drained => self.host()?.fail_pushes(&self.env)?,
            Late::Rested => {
                self.resting.set(false);
                self.release()?;
            }
        }
        self.end_if_done()
    }

    /// A push goes to its frontends.
    fn push_released(&self) {
        self.pushes.set(self.pushes.get() + 1);
    }

    /// The host's report that a push is being answered: its callback is called next.
    pub fn push_settled(&self) {
        self.pushes.set(self.pushes.get().saturating_sub(1));
        if self.ending.get() != Ending::No {
            self.nudge();
        }
    }
}

/// What a list on the tape is had from.
enum Item {
    /// Its number, and how many members there are.
    Master(u32, usize),
    /// A text or an error.
    Value(sys::napi_value),
}
