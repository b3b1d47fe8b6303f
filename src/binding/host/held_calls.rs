//! Calls that JavaScript holds until they are answered: the room for them, the callback of each, and what a push has beside it.

use napi::{
    Env, Unknown,
    bindgen_prelude::{JsObjectValue as _, Object},
};

use super::{Host, Servers, get};
use crate::binding::values::js::Args;

impl Host {
    /// Returns whether there is no room for more than `count` calls.
    pub fn is_full(&self, count: u64) -> bool {
        count >= self.places.get()
    }

    /// Doubles the room for calls, the oldest of which is number `first`.
    #[expect(clippy::cast_precision_loss, reason = "numbers stay below 2^53")]
    pub fn make_room(&self, env: &Env, first: u64) -> napi::Result<()> {
        self.room.call(env, Args::new().with(env, first as f64)?)?;
        self.places
            .set(self.calls.get(env)?.get_array_length()?.into());
        Ok(())
    }

    /// Takes the service's own options of a push to channels: undefined, a string or an array, see `lib/recipients.js`. May
    /// run getters of the app.
    pub fn prepare(
        &self,
        env: &Env,
        opts: &Unknown,
        name: &Unknown,
    ) -> napi::Result<Unknown<'static>> {
        let args = Args::new().with(env, *opts)?.with(env, *name)?;
        self.prepare.call(env, args)
    }

    /// The same of a push to users, or to all sessions.
    pub fn prepare_own(
        &self,
        env: &Env,
        opts: &Unknown,
        is_broadcast: bool,
    ) -> napi::Result<Option<Object<'static>>> {
        let args = Args::new().with(env, *opts)?.with(env, is_broadcast)?;
        get(self.prepare_own.call(env, args)?)
    }

    /// Holds the callback of call `seq` until it is answered.
    pub fn hold(&self, env: &Env, seq: u64, callback: &Unknown) -> napi::Result<()> {
        self.calls.get(env)?.set_element(self.place(seq), *callback)
    }

    /// Holds the push `seq`: route, msg, opts, callback and the name of its list.
    pub fn hold_push(
        &self,
        env: &Env,
        seq: u64,
        servers: &Servers,
        values: [Unknown; 5],
        selection: Option<Unknown>,
    ) -> napi::Result<()> {
        let values = values.into_iter().chain(selection);
        let args = with_all(env, self.held(env, seq, servers)?, values)?;
        self.hold.call(env, args).map(drop)
    }

    /// Holds the push `seq`, whose options `prepare` was the last to see: route, msg and callback.
    pub fn hold_prepared(
        &self,
        env: &Env,
        seq: u64,
        servers: &Servers,
        values: [Unknown; 3],
    ) -> napi::Result<()> {
        let args = with_all(env, self.held(env, seq, servers)?, values)?;
        self.hold_prepared.call(env, args).map(drop)
    }

    /// Makes a call that is answered when this number of parts, under numbers of their own, are.
    pub fn parts(
        &self,
        env: &Env,
        callback: Unknown,
        count: usize,
    ) -> napi::Result<Unknown<'static>> {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let args = Args::new().with(env, callback)?.with(env, count)?;
        self.parts.call(env, args)
    }

    /// Holds the call `seq`, which is answered by frontend, and with `names` by channel.
    pub fn hold_groups(
        &self,
        env: &Env,
        seq: u64,
        servers: &Servers,
        callback: Unknown,
        names: Option<Vec<String>>,
    ) -> napi::Result<()> {
        let args = self
            .held(env, seq, servers)?
            .with(env, callback)?
            .with(env, names)?;
        self.hold_groups.call(env, args).map(drop)
    }

    /// Holds the push `seq`, to `uids` or to all sessions, so that its answer is [`Outcome::Own`]: route, msg, opts and
    /// the callback, and who of them gets it. With `is_sought` the host asks who is online and settles it, without it
    /// the caller does.
    ///
    /// [`Outcome::Own`]: crate::binding::service::call::Outcome::Own
    #[expect(clippy::cast_precision_loss, reason = "numbers stay below 2^53")]
    pub fn hold_own_push(
        &self,
        env: &Env,
        seq: u64,
        servers: &Servers,
        (values, selection): ([Unknown; 4], Option<Unknown>),
        uids: Option<Vec<String>>,
        is_sought: bool,
    ) -> napi::Result<()> {
        let args = Args::new()
            .with(env, self.place(seq))?
            .with(env, seq as f64)?
            .with(env, servers.array.get(env)?)?;
        let args = with_all(env, args, values)?
            .with(env, uids)?
            .with(env, is_sought)?
            .with(env, selection)?;
        self.hold_own.call(env, args).map(drop)
    }

    /// Begins the arguments for a call that is held: its place, and the frontends that it is for.
    fn held(&self, env: &Env, seq: u64, servers: &Servers) -> napi::Result<Args> {
        let args = Args::new().with(env, self.place(seq))?;
        args.with(env, servers.array.get(env)?)
    }

    #[expect(clippy::cast_possible_truncation, reason = "there are fewer places")]
    fn place(&self, seq: u64) -> u32 {
        (seq % self.places.get()) as u32
    }
}

fn with_all<'a>(
    env: &Env,
    args: Args,
    values: impl IntoIterator<Item = Unknown<'a>>,
) -> napi::Result<Args> {
    let mut values = values.into_iter();
    values.try_fold(args, |args, value| args.with(env, value))
}
