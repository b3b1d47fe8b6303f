//! The tape: answers to many calls, encoded as an array of numbers, with the few values that are not numbers beside it.
//! `lib/answers.js` is the other end: it decodes the tape and calls the callbacks.

use napi::{
    Env, Status,
    bindgen_prelude::{JsValue as _, Object, check_status},
    sys,
};

use crate::binding::tables::shared;

shared! {
    /// The instruction in the low four bits of a word; the others hold its operand n.
    pub enum Word {
        /// n calls are done, each of which changed one member, or has no count.
        Done = "DONE",
        /// Answers a call with the list that follows.
        List = "LIST",
        /// Answers a call with the n lists that follow, joined.
        Joined = "JOINED",
        /// Delivers a push to n frontends, whose lists follow.
        Push = "PUSH",
        /// Answers a call with the error that follows, in the [`Shape`] n.
        Fail = "FAIL",
        /// Answers a call with what a custom manager answered.
        Own = "OWN",
        /// Delivers a push with what a custom manager answered.
        OwnPush = "OWN_PUSH",
        /// Makes shared array n from the text that follows.
        Master = "MASTER",
        /// Drops shared array n.
        Forget = "FORGET",
        /// Appends the piece that follows to shared array n.
        Piece = "PIECE",
        /// Answers a call with the number that follows.
        Number = "NUMBER",
        /// Answers a call with true if n is 1, else with false.
        Bool = "BOOL",
        /// Answers a call with the n lists that follow, by frontend.
        Groups = "GROUPS",
        /// One call is done, which changed n members.
        Changed = "CHANGED",
        /// Answers a call with the page that follows, of members, or of channels if n is 1.
        Page = "PAGE",
    }
}

const _: () = assert!(Word::ALL.len() <= 16, "four bits");

shared! {
    /// The arguments with which a callback gets an error, as in 0.0.7.
    pub enum Shape {
        /// `(err)`
        Plain = "PLAIN",
        /// `(err, undefined)`
        Undefined = "UNDEFINED",
        /// `(err, null)`
        Null = "NULL",
    }
}

/// A tape that is being written.
#[derive(Default)]
pub struct Tape {
    words: Vec<u32>,
    /// Values of the scope in which the tape is written.
    values: Vec<sys::napi_value>,
    /// The bytes of the texts among them.
    bytes: usize,
    /// The number of members of lists that are copied from shared arrays.
    copied: usize,
    /// The position of a word [`Word::Done`] that can be counted up.
    run: Option<usize>,
    /// Lists whose shared arrays exist up to the end of the tape only.
    passing: Vec<u64>,
}

impl Tape {
    /// Writes a word.
    pub fn word(&mut self, word: Word, n: usize) {
        self.run = None;
        let n = u32::try_from(n).unwrap_or(u32::MAX >> 4);
        self.words.push(word as u32 | n << 4);
    }

    /// Writes that one more call is done, which changed this number of members.
    pub fn changed(&mut self, count: u64) {
        if count == 1 {
            self.done();
        } else {
            self.word(Word::Changed, usize::try_from(count).unwrap_or(usize::MAX));
        }
    }

    /// Writes that one more call is done.
    pub fn done(&mut self) {
        if let Some(run) = self.run {
            self.words[run] += 1 << 4;
        } else {
            self.word(Word::Done, 1);
            self.run = Some(self.words.len() - 1);
        }
    }

    /// Appends, after an instruction, the number of a shared array, of which JavaScript copies `members` members.
    pub fn master(&mut self, slot: u32, members: usize) {
        self.words.push(slot << 1 | 1);
        self.copied += members;
    }

    /// Appends, after an instruction, a list or an error of the current scope.
    pub fn value(&mut self, value: sys::napi_value) {
        let index = u32::try_from(self.values.len()).unwrap_or(u32::MAX >> 1);
        self.words.push(index << 1);
        self.values.push(value);
    }

    /// Notes that the shared array of that list is for this tape only.
    pub fn passing(&mut self, id: u64) {
        self.passing.push(id);
    }

    /// Takes the ids of the lists whose shared arrays were for this tape only.
    pub fn take_passing(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.passing)
    }

    /// Makes the JavaScript string of a list, or of a piece of it, for [`Tape::value`].
    pub fn text(&mut self, env: &Env, json: &str, is_ascii: bool) -> napi::Result<sys::napi_value> {
        self.bytes += json.len();
        let (text, length) = (json.as_ptr().cast(), json.len().cast_signed());
        let mut value = std::ptr::null_mut();
        // SAFETY: `length` bytes are there, in UTF-8, which ASCII is as well as Latin-1. Those need
        // no decoding.
        check_status!(unsafe {
            if is_ascii {
                sys::napi_create_string_latin1(env.raw(), text, length, &raw mut value)
            } else {
                sys::napi_create_string_utf8(env.raw(), text, length, &raw mut value)
            }
        })?;
        Ok(value)
    }

    /// Makes a JavaScript number, for [`Tape::value`].
    #[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
    pub fn number(env: &Env, number: u64) -> napi::Result<sys::napi_value> {
        let mut value = std::ptr::null_mut();
        // SAFETY: on the JavaScript thread, with its environment.
        check_status!(unsafe {
            sys::napi_create_double(env.raw(), number as f64, &raw mut value)
        })?;
        Ok(value)
    }

    /// Returns the words, for `lib/answers.js`.
    pub fn words(&self) -> &[u32] {
        &self.words
    }

    /// Returns how much work this is for JavaScript, in bytes to parse: copying a member takes about as long as parsing
    /// it.
    pub fn load(&self) -> usize {
        self.bytes + self.copied
    }

    /// Returns the values as a JavaScript array, if there are any.
    pub fn values<'env>(&self, env: &'env Env) -> napi::Result<Option<Object<'env>>> {
        if self.values.is_empty() {
            return Ok(None);
        }
        let mut array = std::ptr::null_mut();
        // SAFETY: all values are of the current scope.
        check_status!(unsafe {
            sys::napi_create_array_with_length(env.raw(), self.values.len(), &raw mut array)
        })?;
        for (index, &value) in (0..).zip(&self.values) {
            // SAFETY: the same.
            check_status!(unsafe { sys::napi_set_element(env.raw(), array, index, value) })?;
        }
        Ok(Some(Object::from_raw(env.raw(), array)))
    }

    /// Clears the tape.
    pub fn clear(&mut self) {
        self.words.clear();
        self.values.clear();
        self.bytes = 0;
        self.copied = 0;
        self.run = None;
    }

    /// Copies the words into JavaScript's array for them. Returns whether there was room.
    pub fn copy_to(&self, env: &Env, array: &Object) -> napi::Result<bool> {
        let (mut kind, mut length, mut data) = (0, 0, std::ptr::null_mut());
        // SAFETY: on the JavaScript thread, with a value of its environment.
        check_status!(unsafe {
            sys::napi_get_typedarray_info(
                env.raw(),
                array.raw(),
                &raw mut kind,
                &raw mut length,
                &raw mut data,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
            )
        })?;
        if kind != sys::TypedarrayType::uint32_array {
            return Err(napi::Error::new(Status::GenericFailure, "no tape"));
        }
        if length < self.words.len() {
            return Ok(false);
        }
        // SAFETY: there is room for `length` words, aligned as an Uint32Array is; no JavaScript
        // runs meanwhile that could take it away.
        unsafe {
            std::ptr::copy_nonoverlapping(self.words.as_ptr(), data.cast(), self.words.len());
        };
        Ok(true)
    }
}
