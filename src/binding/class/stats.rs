//! The counters of the JavaScript thread, and `stats()`: these figures, those of the driver and the manager
//! ([`crate::stats`]) and those of the host (`lib/delivery.js`, `lib/fanOut/`) as one object.
//!
//! Times are microseconds since the instance was made. The clock is read once per batch of calls and once per batch of
//! answers.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    time::Instant,
};

use hdrhistogram::Histogram;
use napi::{
    Env, Unknown,
    bindgen_prelude::{Function, JsObjectValue as _, JsValue as _, Object},
};

use crate::{
    binding::{
        class::durations::{self, Durations},
        methods::Kind,
        service::{Service, call::State},
        values::{
            js::{self, Args},
            thrown,
        },
    },
    error::Error,
};

/// The significant digits of the latency histogram.
const DIGITS: u8 = 2;

/// The counters of an instance: commands, errors, latencies.
pub struct Counts {
    epoch: Instant,
    commands: [Cell<u64>; Kind::ALL.len()],
    errors: RefCell<BTreeMap<&'static str, u64>>,
    latency: RefCell<Histogram<u64>>,
    durations: Durations,
}

impl Counts {
    /// Makes counters at zero.
    pub fn new() -> Self {
        Self {
            epoch: Instant::now(),
            commands: Default::default(),
            errors: RefCell::default(),
            latency: RefCell::new(Histogram::new(DIGITS).expect("so many digits are allowed")),
            durations: Durations::default(),
        }
    }

    /// Returns the time since the instance was made, in microseconds.
    pub fn clock(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Counts a call that was accepted.
    pub fn command(&self, kind: Kind) {
        // Not those of the session registry, which the app did not make.
        if let Some(count) = self.commands.get(kind as usize) {
            count.set(count.get() + 1);
        }
    }

    /// Counts an error for a callback.
    pub fn error(&self, error: &Error) {
        self.error_code(error.code());
    }

    /// Counts an error that was made in JavaScript. A custom manager's counts as `ERR_GLOBAL_CHANNEL_STORE`.
    pub fn foreign_error(&self, env: &Env, error: &Unknown) {
        let code = code(error).unwrap_or_else(|_| {
            js::forget_exception(env);
            String::new()
        });
        let known = Error::CODES.iter().find(|&&known| known == code);
        self.error_code(known.copied().unwrap_or(Error::Store("".into()).code()));
    }

    fn error_code(&self, code: &'static str) {
        *self.errors.borrow_mut().entry(code).or_default() += 1;
    }

    /// Begins to record the latencies of a batch of answers.
    pub fn latencies(&self) -> Latencies<'_> {
        Latencies {
            counts: self,
            now: self.clock(),
            at: 0,
            kind: Kind::Add,
            calls: 0,
        }
    }
}

/// Records the latencies of calls that are answered together.
pub struct Latencies<'a> {
    counts: &'a Counts,
    now: u64,
    /// When the calls that are not recorded yet were made, and by which method; all of them in one tick.
    at: u64,
    kind: Kind,
    calls: u64,
}

impl Latencies<'_> {
    /// Adds an answer to a call that was made at `at`.
    pub fn add(&mut self, kind: Kind, at: u64) {
        if at != self.at || kind != self.kind {
            self.record();
            self.at = at;
            self.kind = kind;
        }
        self.calls += 1;
    }

    fn record(&mut self) {
        if self.calls == 0 {
            // `record_n` with no calls would still change the maximum.
            return;
        }
        let took = self.now.saturating_sub(self.at);
        // Does not fail: the histogram resizes itself.
        let _ = self.counts.latency.borrow_mut().record_n(took, self.calls);
        self.counts.durations.record(self.kind, took, self.calls);
        self.calls = 0;
    }
}

impl Drop for Latencies<'_> {
    fn drop(&mut self) {
        self.record();
    }
}

/// Returns the `code` of an error. Fails, perhaps with an exception pending, if that is not a string.
fn code(error: &Unknown) -> napi::Result<String> {
    let error = error.coerce_to_object()?;
    // SAFETY: napi-rs checks the type.
    unsafe { thrown::property(&error, "code")?.cast() }
}

impl Service {
    /// Returns the object that `index.d.ts` describes as `GlobalChannelStats`.
    pub fn stats(&self, channel: &Object) -> napi::Result<Object<'_>> {
        let env = &self.env;
        let (store, counts) = (&self.stats, &self.counts);
        let mut stats = Object::new(env)?;
        // Read once for both figures: the runtime's thread may change it meanwhile.
        let connected = self.is_custom() || store.connected.get() > 0;
        stats.set("version", env!("CARGO_PKG_VERSION"))?;
        stats.set("connection", self.connection(connected))?;
        stats.set("commands", self.commands()?)?;
        stats.set("errors", self.errors()?)?;
        stats.set("queueLength", figure(self.unanswered() as u64))?;
        stats.set("inFlight", figure(store.in_flight.get()))?;
        let batches = store.batches.get();
        stats.set("batches", figure(batches))?;
        let mean = figure(store.batched.get()) / figure(batches.max(1));
        stats.set("meanBatchSize", mean)?;
        stats.set("reconnects", figure(store.reconnects.get()))?;
        stats.set("cache", self.cache_stats(connected)?)?;
        stats.set("latency", counts.latency_stats(env)?)?;
        let host: Object = channel.get_named_property("_host")?;
        let pushed: Object = host.get_named_property("counts")?;
        stats.set("lists", pushed.get_named_property::<Unknown>("lists")?)?;
        stats.set("pushRpcs", pushed.get_named_property::<Object>("rpcs")?)?;
        for name in ["pushes", "pushedFrontends", "failedUids"] {
            stats.set(name, pushed.get_named_property::<f64>(name)?)?;
        }
        stats.set("fanOut", host.get_named_property::<Object>("fanOut")?)?;
        stats.set("sessions", host.get_named_property::<Unknown>("sessions")?)?;
        let membership = host.get_named_property::<Unknown>("membership")?;
        stats.set("membership", membership)?;
        stats.set("events", self.event_stats()?)?;
        let copy: Function<Args, Unknown> = host.get_named_property("copy")?;
        let stats = thrown::call(env, &copy, Args::new().with(env, stats)?)?;
        // SAFETY: napi-rs checks the type.
        unsafe { stats.cast() }
    }

    fn connection(&self, connected: bool) -> &'static str {
        match self.state.get() {
            State::Inited => "idle",
            State::Started if connected => "connected",
            State::Starting | State::Started => "connecting",
            State::Closed => "closed",
        }
    }

    fn commands(&self) -> napi::Result<Object<'_>> {
        let mut commands = Object::new(&self.env)?;
        for kind in Kind::ALL {
            let count = self.counts.commands[kind as usize].get();
            commands.set(kind.name(), figure(count))?;
        }
        Ok(commands)
    }

    fn errors(&self) -> napi::Result<Object<'_>> {
        let mut errors = Object::new(&self.env)?;
        for (code, &count) in &*self.counts.errors.borrow() {
            errors.set(*code, figure(count))?;
        }
        Ok(errors)
    }

    fn cache_stats(&self, connected: bool) -> napi::Result<Object<'_>> {
        let figures = &self.stats.cache;
        let off = self.cache_off(connected);
        let mut cache = Object::new(&self.env)?;
        cache.set("enabled", off.is_none())?;
        cache.set("reason", off)?;
        for (name, value) in [
            ("hits", &figures.hits),
            ("misses", &figures.misses),
            ("rereads", &figures.rereads),
            ("invalidations", &figures.invalidations),
            ("entries", &figures.entries),
            ("bytes", &figures.bytes),
        ] {
            cache.set(name, figure(value.get()))?;
        }
        let most = self.options.cache.unwrap_or_default();
        cache.set("maxBytes", figure(most as u64))?;
        Ok(cache)
    }

    /// Returns why nothing is answered from the cache now; `None` if it is in use.
    fn cache_off(&self, connected: bool) -> Option<String> {
        let why = if self.is_custom() {
            "a channelManager replaces the store"
        } else if self.options.cache.is_none() {
            "option cache is false"
        } else {
            match self.state.get() {
                State::Inited | State::Starting => "not connected yet",
                State::Started if !connected => "not connected",
                State::Started => return self.stats.cache.off().map(|why| why.to_string()),
                State::Closed => "stopped",
            }
        };
        Some(why.to_owned())
    }
}

impl Counts {
    fn latency_stats<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let latency = self.latency.borrow();
        let ms = |micros: u64| figure(micros) / 1000.0;
        let mut object = Object::new(env)?;
        object.set("count", figure(latency.len()))?;
        object.set("p50", ms(latency.value_at_quantile(0.5)))?;
        object.set("p99", ms(latency.value_at_quantile(0.99)))?;
        object.set("max", ms(latency.max()))?;
        object.set("bounds", durations::bounds())?;
        object.set("methods", self.durations.methods(env)?)?;
        Ok(object)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "what is counted here stays below 2^53"
)]
pub(super) fn figure(count: u64) -> f64 {
    count as f64
}
