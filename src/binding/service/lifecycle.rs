//! Starts and stops a service. A stop ends when every call has its answer.

use std::{rc::Rc, time::Instant};

use napi::bindgen_prelude::{JsValue as _, Object};

use crate::{
    binding::{
        answers::outbox::Outbox,
        service::{
            Service,
            call::{CLEAN_FIRST, Ending, Late, Outcome, State},
            panic::closure,
        },
        values::{
            errors,
            js::{Args, Callback},
        },
    },
    driver::DriverHandle,
    error::Error,
    known_sids::KnownSids,
    list_lru::Bounds,
    redis_manager::CacheOptions,
    store_manager::StoreManager,
};

impl Service {
    /// Connects; while a start is in progress, adds the callback to it.
    pub fn start(self: &Rc<Self>, channel: &Object, callback: Callback) -> napi::Result<()> {
        match self.state.get() {
            State::Inited => {
                self.hold_host(channel)?;
                self.state.set(State::Starting);
                self.early.keeps.set(self.options.wait_for_start);
                self.starters.borrow_mut().push(callback);
                self.open()
            }
            State::Starting => {
                self.starters.borrow_mut().push(callback);
                Ok(())
            }
            State::Started | State::Closed => self.fail(callback, &Error::InvalidState),
        }
    }

    fn open(self: &Rc<Self>) -> napi::Result<()> {
        self.died.take();
        let outbox = self.open_outbox()?;
        if self.is_custom() {
            return self.execute(self.later(Late::Start), "start", Args::new());
        }
        let limits = self.options.limits.clone();
        let cache = self.options.cache.map(|max_bytes| CacheOptions {
            bounds: Bounds::new(max_bytes, self.released.clone()),
            probe: self.keys.key("", ""),
        });
        let stats = self.stats.clone();
        for warning in self.options.store.warnings() {
            self.log("warn", &warning, Some(self.options.store.name()));
        }
        let stem = self.keys.stem();
        let app = outbox.app();
        let manager = StoreManager::new(&self.options.store, stem, cache, stats.clone(), &app);
        let sids = KnownSids::new(&self.keys, self.sizes);
        let driver = match manager {
            StoreManager::Redis(manager) => {
                DriverHandle::start(manager, limits, outbox, stats, sids)
            }
            StoreManager::Cluster(manager) => {
                DriverHandle::start(manager, limits, outbox, stats, sids)
            }
            StoreManager::Embedded(manager) => {
                DriverHandle::start(manager, limits, outbox, stats, sids)
            }
        };
        match driver {
            Ok(driver) => {
                *self.driver.borrow_mut() = Some(driver);
                Ok(())
            }
            Err(error) => self.start_failed(&Error::Internal(error.to_string())),
        }
    }

    /// Returns the outbox, which is opened if it is not open. While it is open the process stays alive.
    fn open_outbox(self: &Rc<Self>) -> napi::Result<Outbox> {
        if let Some(outbox) = &*self.outbox.borrow() {
            return Ok(outbox.clone());
        }
        self.open_lone()?;
        let wake = closure(&self.env, "wake", self, |service, _| service.on_wake())?;
        let outbox = Outbox::new(&wake)?;
        *self.outbox.borrow_mut() = Some(outbox.clone());
        Ok(outbox)
    }

    /// Closes when all calls in flight are answered or the drain time is over.
    pub fn stop(
        self: &Rc<Self>,
        channel: &Object,
        force: Args,
        callback: Callback,
    ) -> napi::Result<()> {
        self.stoppers.borrow_mut().push(callback);
        let before = self.state.replace(State::Closed);
        self.early.keeps.set(false);
        if before == State::Closed {
            if self.ending.get() == Ending::Done {
                // Stopped already: the callback is called too, after this method has returned.
                self.hold_host(channel)?;
                self.open_outbox()?.nudge();
            }
            return Ok(());
        }
        self.hold_host(channel)?;
        self.ending.set(Ending::Store(Instant::now()));
        self.open_outbox()?;
        if self.is_custom() {
            return self.execute(self.later(Late::Stop), "stop", force);
        }
        if self.options.sessions.is_some() && before != State::Inited {
            let token = self.later(Late::Release);
            return self.host()?.end_sessions(&self.env, token);
        }
        self.stop_driver();
        Ok(())
    }

    /// Tells the driver to answer what it can within the drain time, and to end.
    pub fn stop_driver(&self) {
        // First, since the embedded store is followed as long as it is open.
        self.stop_listening();
        if self.driver.borrow().is_some() && self.died.borrow().is_none() {
            let since = match self.ending.get() {
                Ending::Store(since) | Ending::Pushes(since) => since,
                Ending::No | Ending::Draining | Ending::Done => Instant::now(),
            };
            self.input.borrow_mut().stop = Some(since.into());
            self.flush();
        } else {
            self.store_ended();
            self.nudge();
        }
    }

    /// Notes that the store will not answer any more.
    pub fn store_ended(&self) {
        if let Ending::Store(since) = self.ending.get() {
            self.ending.set(Ending::Pushes(since));
        }
    }

    /// Continues the start when the store is connected: with `cleanOnStartUp` it is cleaned first.
    pub fn store_started(self: &Rc<Self>) -> napi::Result<()> {
        if self.state.get() != State::Starting {
            return Ok(());
        }
        if !self.options.clean_on_start_up {
            return self.store_ready();
        }
        if self.is_custom() {
            self.log_passed_clean(CLEAN_FIRST);
            return self.execute(self.later(Late::CleanFirst), "clean", Args::new());
        }
        let token = self.later(Late::CleanFirst);
        self.input.borrow_mut().starting = true;
        self.send_clean(token);
        Ok(())
    }

    /// Sends a `clean` to the store that is something late.
    fn send_clean(&self, token: u64) {
        let stem = self.keys.stem();
        self.input.borrow_mut().calls.push_clean(token, &stem);
        self.flush();
    }

    /// Logs a `clean` that a custom manager does, which need not say what it has removed.
    pub fn log_passed_clean(&self, why: &str) {
        let line = format!("clean is passed to the channel manager, because {why}");
        self.log("info", &line, None);
    }

    /// Continues the start when the store is as the app wants it: with option `sessions` a frontend claims its lease,
    /// before the first client can connect.
    pub fn store_ready(self: &Rc<Self>) -> napi::Result<()> {
        if self.options.sessions.is_none() || self.state.get() != State::Starting {
            return self.started();
        }
        let token = self.later(Late::Claim);
        self.host()?.begin_sessions(&self.env, token)
    }

    /// Completes a start: calls are accepted from now on.
    pub fn started(&self) -> napi::Result<()> {
        if self.state.get() == State::Starting {
            self.state.set(State::Started);
            self.listen();
            let starters = self.starters.take();
            let made = self.make_kept();
            for starter in starters {
                starter.call(&self.env, Args::new().with_null(&self.env)?)?;
            }
            return made;
        }
        Ok(())
    }

    /// Answers a failed start, which can be repeated unless a stop was called meanwhile.
    pub fn start_failed(&self, error: &Error) -> napi::Result<()> {
        let starters = self.starters.take();
        let host = self.host.borrow().clone();
        self.back_to_inited(error != &Error::Stopped);
        self.refuse_kept(host, errors::to_js(&self.env, error)?.to_unknown())?;
        for starter in starters {
            self.fail(starter, error)?;
        }
        Ok(())
    }

    /// Resets the state after a failed start. During a stop this counts as the end of the store, if the driver ended by
    /// itself.
    pub fn back_to_inited(&self, driver_ended: bool) {
        if self.state.get() == State::Starting {
            self.state.set(State::Inited);
            self.close();
        } else if driver_ended {
            self.store_ended();
        }
    }

    /// Ends the service after a panic of the driver or on this side (see [`crate::binding::service::panic`]): all calls
    /// in flight, and later ones, are answered with the error.
    pub fn on_died(&self, words: String) -> napi::Result<()> {
        let error = Error::Internal(words.clone());
        self.log("error", &error.to_string(), None);
        *self.died.borrow_mut() = Some(words);
        self.calls
            .borrow_mut()
            .settle_all(|| Outcome::Store(Err(error.clone())));
        self.fail_registry(&error);
        self.start_failed(&error)?;
        self.store_ended();
        Ok(())
    }

    /// Completes a stop if every call has its answer.
    pub fn end_if_done(self: &Rc<Self>) -> napi::Result<()> {
        let since = match self.ending.get() {
            Ending::Pushes(since) => Some(since),
            Ending::Draining | Ending::Done => None,
            Ending::No | Ending::Store(_) => return Ok(()),
        };
        if !self.calls.borrow().is_empty() || self.releasing.get() {
            return Ok(());
        }
        if self.pushes.get() > 0 {
            if let Some(since) = since {
                self.ending.set(Ending::Draining);
                let left =
                    (since + self.options.limits.drain).saturating_duration_since(Instant::now());
                let left = u32::try_from(left.as_millis()).unwrap_or(u32::MAX);
                let token = self.later(Late::Drained);
                return self.host()?.wait(&self.env, token, left);
            }
            return Ok(());
        }
        self.ending.set(Ending::Done);
        let stopped = errors::to_js(&self.env, &Error::Stopped)?.to_unknown();
        self.refuse_kept(self.host.borrow().clone(), stopped)?;
        for starter in self.starters.take() {
            self.fail(starter, &Error::Stopped)?;
        }
        self.close();
        for stopper in self.stoppers.take() {
            stopper.call(&self.env, Args::new())?;
        }
        Ok(())
    }

    /// Releases the connection, the outbox (so that the process can exit), and the host.
    fn close(&self) {
        self.driver.borrow_mut().take();
        self.end_lone();
        self.stop_listening();
        self.fail_registry(&Error::Stopped);
        self.input.take();
        self.outbox.borrow_mut().take();
        self.masters.take();
        self.questions.take();
        let host = self.host.borrow_mut().take();
        if let Some(host) = host {
            // Fails only in an environment that is gone.
            let _ = host.close(&self.env);
        }
    }
}
