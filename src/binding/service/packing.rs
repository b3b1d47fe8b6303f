//! Packs a call: its keys and members into the buffer of the tick, its callback into the host's array, under its number
//! in call order.

use napi::Unknown;

use crate::{
    binding::{
        host::Host,
        methods::Kind,
        service::{
            Service,
            call::{Call, Outcome},
        },
        values::{js::Args, text},
    },
    command::{Code, Reply},
    failpoints::may_panic,
    keys::{AFTER_SID, Key},
    packed::{Mark, Packed},
};

impl Service {
    /// Packs the first item of a call, a key. Returns `false`, and packs nothing, if name or sid is not text, is too
    /// long or is refused.
    pub fn pack_key(&self, name: &Unknown, sid: &Unknown) -> napi::Result<bool> {
        self.pack(|packed| {
            let key = packed.bytes();
            let begin = key.len();
            if !self.pack_name(name, key)? {
                return Ok(false);
            }
            self.keys.separate(key);
            may_panic("packing");
            let sid_begin = key.len();
            let is_text = text::append(&self.env, sid, key, self.sizes.key)?;
            let fits = key.len() - begin <= self.sizes.key;
            if is_text && fits {
                self.sids.borrow_mut().note(&key[sid_begin..]);
            }
            packed.end_key();
            Ok(is_text && fits)
        })
    }

    /// Packs all items of a call, the keys of a channel on several servers. Returns `false`, and packs nothing, if the
    /// name is not text or is refused, or a key is too long.
    pub fn pack_keys(&self, name: &Unknown, sids: &[String]) -> napi::Result<bool> {
        self.pack(|packed| {
            let key = packed.bytes();
            let begin = key.len();
            if !self.pack_name(name, key)? {
                return Ok(false);
            }
            self.keys.separate(key);
            let end = key.len();
            for (index, sid) in sids.iter().enumerate() {
                let key = packed.bytes();
                if index > 0 {
                    key.extend_from_within(begin..end);
                }
                if end - begin + sid.len() > self.sizes.key {
                    return Ok(false);
                }
                key.extend_from_slice(sid.as_bytes());
                packed.end_key();
            }
            Ok(true)
        })
    }

    /// Writes the part of a key before the sid.
    fn pack_name(&self, name: &Unknown, key: &mut Vec<u8>) -> napi::Result<bool> {
        self.keys.begin(key);
        let begin = key.len();
        Ok(text::append(&self.env, name, key, self.sizes.key)? && self.keys.takes(&key[begin..]))
    }

    /// Packs the only member of a call, after its key. If it is not text or is too long, removes what was packed of the
    /// call and returns `false`.
    pub fn pack_uid(&self, uid: &Unknown) -> napi::Result<bool> {
        self.pack(|packed| {
            let member = packed.bytes();
            let begin = member.len();
            let is_text = text::append(&self.env, uid, member, self.sizes.member)?;
            let fits = member.len() - begin <= self.sizes.member;
            packed.end_item();
            Ok(is_text && fits)
        })
    }

    /// Packs the keys of several channels, for one frontend after the other.
    pub fn pack_groups(&self, names: &[&str], sids: &[String]) {
        let packed = &mut self.input.borrow_mut().calls;
        for sid in sids {
            for name in names {
                self.keys.append(packed.bytes(), name, sid);
                packed.end_key();
            }
        }
    }

    /// Packs keys of a call, given as bytes.
    pub fn pack_given_keys<'a>(&self, keys: impl IntoIterator<Item = &'a Key>) {
        let packed = &mut self.input.borrow_mut().calls;
        for key in keys {
            packed.bytes().extend_from_slice(key);
            packed.end_key();
        }
    }

    /// Packs items of a call, given as bytes.
    pub fn pack_items<'a>(&self, items: impl IntoIterator<Item = &'a [u8]>) {
        let packed = &mut self.input.borrow_mut().calls;
        for item in items {
            packed.bytes().extend_from_slice(item);
            packed.end_item();
        }
    }

    pub(super) fn pack(
        &self,
        write: impl FnOnce(&mut Packed) -> napi::Result<bool>,
    ) -> napi::Result<bool> {
        let packed = &mut self.input.borrow_mut().calls;
        let written = write(packed);
        if !matches!(written, Ok(true)) {
            packed.undo();
        }
        written
    }

    /// Sends the call that was packed just now to the store.
    pub fn call(&self, host: &Host, kind: Kind, cb: &Unknown) -> napi::Result<()> {
        let Some(code) = self.code(kind) else {
            return Ok(());
        };
        self.take_packed(host, kind, code, |seq| host.hold(&self.env, seq, cb))
    }

    /// The same for a call about one frontend. A server id that was not given before is shown to JavaScript.
    pub fn call_frontend(&self, host: &Host, kind: Kind, cb: &Unknown) -> napi::Result<()> {
        self.mark_sid(kind, 0);
        self.call(host, kind, cb)?;
        self.meet_new_sids(host)
    }

    /// The same for a call about the index of the members on a frontend.
    pub fn call_index(
        &self,
        host: &Host,
        (kind, sid): (Kind, &str),
        cb: &Unknown,
    ) -> napi::Result<()> {
        self.note_sid(sid);
        self.mark_sid(kind, AFTER_SID.len());
        self.call(host, kind, cb)?;
        self.meet_new_sids(host)
    }

    /// Marks the server id of the call that was packed just now, if the driver has to hear of it. In the key it is
    /// followed by so many bytes.
    fn mark_sid(&self, kind: Kind, tail: usize) {
        let now = self.tick();
        if let Some(mark) = self.sids.borrow_mut().mark(kind.adds(), now) {
            self.input.borrow_mut().calls.mark(Mark { tail, ..mark });
        }
    }

    /// The same for one of several server ids of a call.
    pub fn mark_sid_of(&self, kind: Kind, sid: &str) {
        self.note_sid(sid);
        self.mark_sid(kind, 0);
    }

    /// Lets the driver hear of servers that the app has named, with the next call: operations on all frontends before it
    /// have to be executed there too.
    pub fn tell_sids(&self, sids: &[String]) {
        let (mut known, mut input) = (self.sids.borrow_mut(), self.input.borrow_mut());
        for sid in sids.iter().map(String::as_bytes) {
            if known.is_news(sid) {
                input.calls.tell(sid);
            }
        }
    }

    /// Lets JavaScript look at the server ids of the last call that were not given before.
    pub fn meet_new_sids(&self, host: &Host) -> napi::Result<()> {
        let new = self.sids.borrow_mut().take_new();
        let meet = |sid: &Vec<u8>| host.meet_sid(&self.env, &String::from_utf8_lossy(sid));
        new.iter().try_for_each(meet)
    }

    /// Returns the server ids that were given to calls.
    pub fn given_sids(&self) -> Vec<String> {
        self.sids.borrow().given()
    }

    /// Notes the server id of a call that is not packed by [`Self::pack_key`].
    pub fn note_sid(&self, sid: &str) {
        self.sids.borrow_mut().note(sid.as_bytes());
    }

    /// Takes a call of which more than the callback is held.
    pub fn take_packed(
        &self,
        host: &Host,
        kind: Kind,
        code: Code,
        hold: impl FnOnce(u64) -> napi::Result<()>,
    ) -> napi::Result<()> {
        let taken = self.take_call(host, kind, hold);
        self.send_packed(host, code, taken)
    }

    /// Sends what was packed just now as the call that was taken.
    fn send_packed(&self, host: &Host, code: Code, taken: napi::Result<u64>) -> napi::Result<()> {
        may_panic("taken");
        let mut input = self.input.borrow_mut();
        let packed = &mut input.calls;
        let Ok(seq) = taken else {
            packed.undo();
            return taken.map(drop);
        };
        packed.end_call(seq, code);
        let is_half = self.is_half(packed);
        drop(input);
        if is_half {
            self.flush();
            return Ok(());
        }
        self.flush_soon(host)
    }

    /// Sends what was packed just now as a part of a call of the app, which `call` answers when all parts are. A part has
    /// a number of its own, and the first one counts as the call.
    pub fn send_part(
        &self,
        host: &Host,
        kind: Kind,
        call: &Unknown,
        (is_first, is_last): (bool, bool),
    ) -> napi::Result<()> {
        let hold = |seq| host.hold(&self.env, seq, call);
        let taken = self.take_part(host, kind, is_last, hold);
        if is_first && taken.is_ok() {
            self.counts.command(kind);
        }
        let Some(code) = self.code(kind) else {
            return Ok(());
        };
        self.send_packed(host, code, taken)
    }

    /// Assigns the call its number, under which `hold` keeps its callback, and counts it.
    pub fn take_call(
        &self,
        host: &Host,
        kind: Kind,
        hold: impl FnOnce(u64) -> napi::Result<()>,
    ) -> napi::Result<u64> {
        let seq = self.take_part(host, kind, true, hold)?;
        self.counts.command(kind);
        Ok(seq)
    }

    fn take_part(
        &self,
        host: &Host,
        kind: Kind,
        is_last: bool,
        hold: impl FnOnce(u64) -> napi::Result<()>,
    ) -> napi::Result<u64> {
        let (first, next) = (self.oldest.get(), self.calls.borrow().next());
        if host.is_full(next - first) {
            host.make_room(&self.env, first)?;
        }
        hold(next)?;
        let at = self.tick();
        Ok(self.calls.borrow_mut().push(Call { kind, at, is_last }))
    }

    /// Passes a call to the custom manager.
    pub fn call_custom<const N: usize>(
        &self,
        host: &Host,
        kind: Kind,
        cb: &Unknown,
        args: [Unknown; N],
    ) -> napi::Result<()> {
        let seq = self.take_call(host, kind, |seq| host.hold(&self.env, seq, cb))?;
        self.execute(seq, kind.name(), self.args(args)?)
    }

    /// Answers a call that needs nothing from the store, in call order.
    pub fn answer_in_turn(&self, host: &Host, kind: Kind, cb: &Unknown) -> napi::Result<()> {
        self.answer_held(host, kind, |seq| host.hold(&self.env, seq, cb))
    }

    /// The same for a call of which more than the callback is held.
    pub fn answer_held(
        &self,
        host: &Host,
        kind: Kind,
        hold: impl FnOnce(u64) -> napi::Result<()>,
    ) -> napi::Result<()> {
        let seq = self.take_call(host, kind, hold)?;
        let reply = match kind.value() {
            Some(_) => Reply::Values(Vec::new()),
            None => Reply::Changed(0),
        };
        let done = Outcome::Store(Ok(reply));
        self.calls.borrow_mut().settle(seq, done);
        self.nudge();
        Ok(())
    }

    /// Makes arguments of values.
    pub fn args<'env>(
        &self,
        values: impl IntoIterator<Item = Unknown<'env>>,
    ) -> napi::Result<Args> {
        values
            .into_iter()
            .try_fold(Args::new(), |args, value| args.with(&self.env, value))
    }
}
