//! Encodes the answers to calls on the [`Tape`]: the source of each member list, and the pieces of long lists. When
//! they are released, and how many at a time, is decided in [`super`].

use std::sync::Arc;

use napi::{bindgen_prelude::JsValue as _, sys};

use crate::{
    binding::{
        answers::tape::{Shape, Tape, Word},
        methods::{Arguments, Kind},
        service::{Service, call::Outcome},
        values::errors,
    },
    command::{Reply, Value, ValueKind},
    error::{Error, Result},
    failpoints::may_panic,
    list::List,
    pages::Page,
};

impl Service {
    /// Writes the answers to up to `most` calls on the tape, until their load exceeds `room`; returns their number.
    pub fn write_some(&self, tape: &mut Tape, most: usize, room: usize) -> napi::Result<usize> {
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
            if call.is_last {
                latencies.add(call.kind, call.at);
            }
            let written = grown.and_then(|_| self.write_answer(tape, call.kind, outcome));
            if let Err(failed) = written {
                // A list is too long for JavaScript. Nothing of the answer is on the tape.
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

    /// Writes what JavaScript lacks of the long lists of the next answer, as much as there is room for; returns whether
    /// it has all of them.
    fn write_pieces(&self, tape: &mut Tape, room: usize) -> napi::Result<bool> {
        let calls = self.calls.borrow();
        let Some(Outcome::Store(Ok(Reply::Values(values)))) = calls.ready() else {
            return Ok(true);
        };
        let lists = || values.iter().flatten().filter_map(Value::list);
        let mut masters = self.masters.borrow_mut();
        for list in lists().filter(|list| list.pieces() > 1) {
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
        // Only now: all arrays that are for one tape only must be on it.
        for list in lists() {
            if list.pieces() > 1 && !list.is_kept() {
                tape.passing(list.id());
            }
        }
        Ok(true)
    }

    /// Answers the calls that were released for a tape whose writing panicked. Without an answer for them JavaScript
    /// would give the next answers to the wrong calls.
    pub fn write_lost(&self, tape: &mut Tape, words: String) -> napi::Result<usize> {
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
            // The session registry takes no number (`service/sessions.rs`).
            Outcome::Store(Ok(Reply::Done | Reply::Removed(_) | Reply::Lease(_))) => tape.done(),
            Outcome::Store(Ok(Reply::Changed(count))) => tape.changed(count),
            Outcome::Store(Ok(Reply::Values(values))) => self.write_values(tape, kind, &values)?,
            Outcome::Store(Ok(Reply::Page(page))) => self.write_page(tape, kind, &page)?,
            Outcome::Store(Err(error)) => self.write_error(tape, kind.shape(), &error)?,
            Outcome::Own if kind.is_push() => {
                tape.word(Word::OwnPush, 0);
                self.push_released();
            }
            Outcome::Own => tape.word(Word::Own, 0),
        }
        Ok(())
    }

    /// Writes a page as a text.
    fn write_page(&self, tape: &mut Tape, kind: Kind, page: &Page) -> napi::Result<()> {
        let json = match page.json() {
            Ok(json) => json,
            Err(error) => return self.write_error(tape, kind.shape(), &error),
        };
        let text = tape.text(&self.env, &json, json.is_ascii())?;
        tape.word(Word::Page, usize::from(page.counts.is_some()));
        tape.value(text);
        Ok(())
    }

    /// Writes the values of a read: lists as one, the sum of numbers, or whether any of them is true.
    fn write_values(
        &self,
        tape: &mut Tape,
        kind: Kind,
        values: &[Result<Value>],
    ) -> napi::Result<()> {
        if kind.is_push() {
            self.write_lists(tape, Word::Push, values)?;
            self.push_released();
            return Ok(());
        }
        if let Some(error) = values.iter().find_map(|value| value.as_ref().err()) {
            return self.write_error(tape, kind.shape(), error);
        }
        match kind.value() {
            Some(ValueKind::Int) => {
                let sum = values.iter().flatten().filter_map(Value::int).sum();
                let number = Tape::number(&self.env, sum)?;
                tape.word(Word::Number, 0);
                tape.value(number);
                Ok(())
            }
            Some(ValueKind::Bool) => {
                let any = values.iter().flatten().any(Value::is_true);
                tape.word(Word::Bool, usize::from(any));
                Ok(())
            }
            _ => match kind.arguments() {
                Arguments::UserOn => {
                    let names = match self.names_of(values.iter().flatten()) {
                        Ok(names) => Ok(Value::List(Arc::new(names))),
                        Err(error) => return self.write_error(tape, kind.shape(), &error),
                    };
                    self.write_lists(tape, Word::Joined, &[names])
                }
                Arguments::Frontend => self.write_lists(tape, Word::List, values),
                Arguments::Groups => self.write_lists(tape, Word::Groups, values),
                _ => self.write_lists(tape, Word::Joined, values),
            },
        }
    }

    /// Writes the sources of lists: shared arrays, texts, or an error in place of a list.
    fn write_lists(
        &self,
        tape: &mut Tape,
        word: Word,
        values: &[Result<Value>],
    ) -> napi::Result<()> {
        let mut items = Vec::with_capacity(values.len());
        for value in values {
            items.push(match value {
                Ok(Value::List(list)) => self.item(tape, list)?,
                Ok(Value::Int(number)) => Item::Value(Tape::number(&self.env, *number)?),
                Ok(Value::Bool(is)) => Item::Value(Tape::number(&self.env, u64::from(*is))?),
                Ok(Value::Lease(lease)) => {
                    Item::Value(tape.text(&self.env, &lease.json(), false)?)
                }
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

    /// Returns the source of a list. It is a shared array for a list that the cache keeps and, for one tape, for a list
    /// that answers several calls or came in pieces.
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

    /// Writes on the tape which shared arrays can be dropped, because the cache has released their lists.
    pub fn forget_masters(&self) {
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

    /// Counts a push whose RPCs JavaScript is about to make.
    fn push_released(&self) {
        self.pushes.set(self.pushes.get() + 1);
    }
}

/// The source of a list on the tape.
enum Item {
    /// A shared array: its number, and how many members it has.
    Master(u32, usize),
    /// A text or an error.
    Value(sys::napi_value),
}
