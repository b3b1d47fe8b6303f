//! The subscription of an instance to changes of channels (option `events`), and passing what is watched to `lib/watch.js`.

use napi::bindgen_prelude::Object;

use crate::{
    binding::{
        class::durations::{bounds, figures},
        service::Service,
    },
    error::Error,
    events::listener::ListenerHandle,
    store_manager::subscriber,
};

impl Service {
    /// Begins to listen, which opens a connection only while something is watched. Not before calls are accepted, because
    /// the app reads at the first gap.
    pub(super) fn listen(&self) {
        let outbox = self.outbox.borrow().clone();
        let (Some(_), Some(outbox)) = (self.options.events, outbox) else {
            return;
        };
        let app = outbox.app();
        let source = subscriber(&self.options.store, self.keys.stem(), &app, &self.feed);
        let limits = &self.options.limits;
        match ListenerHandle::start(source, self.feed.clone(), limits, app, outbox) {
            Ok(listener) => *self.listener.borrow_mut() = Some(listener),
            Err(error) => self.log("error", &format!("events are not received: {error}"), None),
        }
    }

    /// Passes on what has arrived.
    pub fn pass_changes(&self) -> napi::Result<()> {
        let host = self.host.borrow().clone();
        if let (Some(host), Some(text)) = (host, self.feed.take()) {
            host.tell_changes(&self.env, &text)?;
        }
        Ok(())
    }

    /// Refuses to change members on a frontend whose id cannot be told from the name of the channel in a key.
    pub(super) fn check_events_sid(&self, sid: &[u8]) -> Result<(), Error> {
        if self.options.events.is_none() || !sid.contains(&b':') {
            return Ok(());
        }
        Err(Error::InvalidArgument(format!(
            "argument sid is {:?}; accepted with option events is one without a colon",
            String::from_utf8_lossy(sid)
        )))
    }

    /// Ends the subscription.
    pub(super) fn stop_listening(&self) {
        self.listener.borrow_mut().take();
        self.feed.clear();
    }

    /// Returns the figures of `stats().events`; `None` without the option.
    #[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
    pub fn event_stats(&self) -> napi::Result<Option<Object<'_>>> {
        if self.options.events.is_none() {
            return Ok(None);
        }
        let counts = self.feed.counts();
        let mut stats = Object::new(&self.env)?;
        stats.set("received", counts.received as f64)?;
        stats.set("watched", counts.watched as f64)?;
        stats.set("gaps", counts.gaps as f64)?;
        let mut lag = figures(&self.env, &self.feed.lag())?;
        lag.set("bounds", bounds())?;
        stats.set("lag", lag)?;
        Ok(Some(stats))
    }
}
