//! How answers go to JavaScript: many at a time, as numbers on a tape, with the few values that are
//! no numbers beside it. `lib/answers.js` is the other end, and calls the callbacks.

use napi::{
    Env, Status,
    bindgen_prelude::{JsValue as _, Object, check_status},
    sys,
};

use crate::binding::tables::shared;

shared! {
    /// What a word of the tape says in its low four bits; the others hold its number.
    pub enum Word {
        /// So many calls are done.
        Done = "DONE",
        /// A list, which follows.
        List = "LIST",
        /// So many lists, which follow, as one.
        Joined = "JOINED",
        /// A push to so many frontends, whose lists follow.
        Push = "PUSH",
        /// An error, which follows, in one of the [`Shape`]s.
        Fail = "FAIL",
        /// What a custom manager answered.
        Own = "OWN",
        /// The same, to a push.
        OwnPush = "OWN_PUSH",
        /// The master of that number is made of the text that follows.
        Master = "MASTER",
        /// The master of that number is not needed any more.
        Forget = "FORGET",
        /// The master of that number grows by the piece that follows.
        Piece = "PIECE",
        /// A number, which follows.
        Number = "NUMBER",
    }
}

const _: () = assert!(Word::ALL.len() <= 16, "four bits");

shared! {
    /// The arguments with which a callback is told of an error: 0.0.7's.
    pub enum Shape {
        /// `(err)`
        Plain = "PLAIN",
        /// `(err, undefined)`
        Undefined = "UNDEFINED",
        /// `(err, null)`
        Null = "NULL",
    }
}

/// See the module.
#[derive(Default)]
pub struct Tape {
    words: Vec<u32>,
    /// Values of the scope in which the tape is written.
    values: Vec<sys::napi_value>,
    /// The bytes of the texts among them.
    bytes: usize,
    /// The members of the lists that are copied from masters.
    copied: usize,
    /// Where a run of [`Word::Done`] can go on.
    run: Option<usize>,
    /// Lists that have a master up to the end of the tape only.
    passing: Vec<u64>,
}

impl Tape {
    /// Writes a word.
    pub fn word(&mut self, word: Word, n: usize) {
        self.run = None;
        let n = u32::try_from(n).unwrap_or(u32::MAX >> 4);
        self.words.push(word as u32 | n << 4);
    }

    /// Appends that one more call is done.
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

    /// Returns how much there is for JavaScript to do, in bytes to parse: a member takes about as long to copy.
    pub fn load(&self) -> usize {
        self.bytes + self.copied
    }

    /// Returns the values as a JavaScript array.
    pub fn values<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let mut array = std::ptr::null_mut();
        // SAFETY: all values are of the current scope.
        check_status!(unsafe {
            sys::napi_create_array_with_length(env.raw(), self.values.len(), &raw mut array)
        })?;
        for (index, &value) in (0..).zip(&self.values) {
            // SAFETY: the same.
            check_status!(unsafe { sys::napi_set_element(env.raw(), array, index, value) })?;
        }
        Ok(Object::from_raw(env.raw(), array))
    }

    /// Forgets everything that is on it.
    pub fn clear(&mut self) {
        self.words.clear();
        self.values.clear();
        self.bytes = 0;
        self.copied = 0;
        self.run = None;
    }

    /// Copies the words into JavaScript's array for them.
    pub fn copy_to(&self, env: &Env, array: &Object) -> napi::Result<()> {
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
        if kind != sys::TypedarrayType::uint32_array || length < self.words.len() {
            return Err(napi::Error::new(
                Status::GenericFailure,
                "no room on the tape",
            ));
        }
        // SAFETY: there is room for `length` words, aligned as an Uint32Array is; no JavaScript
        // runs meanwhile that could take it away.
        unsafe {
            std::ptr::copy_nonoverlapping(self.words.as_ptr(), data.cast(), self.words.len());
        };
        Ok(())
    }
}
