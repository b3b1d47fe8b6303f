//! Lone calls: while nothing else is in flight, the JavaScript thread sends a call itself and reads the reply in its event
//! loop, so that no second thread is woken ([`crate::lone_socket`]). For that it borrows the driver's task. Whenever the runtime
//! polls the driver, for a deadline, the heartbeat or more calls, it takes the socket back first.

use std::{
    net::TcpStream,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::{DriverHandle, Input};
use crate::lone_socket::LoneSocket;

/// The maximum number of calls that count as lone ones, and of the bytes of their keys and members: what takes the JavaScript
/// thread less time than waking another.
const CALLS: usize = 4;
const BYTES: usize = 1 << 12;

/// How long no deadline is applied after bytes were read late: the server sends the rest of a long reply only when there is
/// room for it.
const GRACE: Duration = Duration::from_millis(500);

/// What the event loop has to know of the driver.
#[derive(Debug, Default)]
pub(super) struct Lone {
    /// The socket of the last connection.
    socket: Mutex<Option<LoneSocket>>,
    /// Whether there is a connection, and nothing in flight.
    idle: AtomicBool,
    /// Until when no deadline is applied.
    held_until: Mutex<Option<Instant>>,
}

impl Lone {
    fn lock(&self) -> MutexGuard<'_, Option<LoneSocket>> {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn socket(&self) -> Option<LoneSocket> {
        self.lock().clone()
    }

    pub(super) fn set_socket(&self, socket: Option<LoneSocket>) {
        *self.lock() = socket;
    }

    pub(super) fn set_idle(&self, idle: bool) {
        self.idle.store(idle, Relaxed);
    }

    fn is_idle(&self) -> bool {
        self.idle.load(Relaxed)
    }

    fn hold(&self) {
        let until = Instant::now() + GRACE;
        *self
            .held_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(until);
    }

    /// Returns the time until which no deadline is applied.
    pub(super) fn held_until(&self) -> Option<Instant> {
        *self
            .held_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the socket back for the runtime, whose thread this is, before it polls the driver.
    pub(super) fn reclaim(&self) {
        let detached = self
            .lock()
            .as_ref()
            .filter(|socket| socket.is_detached())
            .cloned();
        if let Some(socket) = detached {
            socket.reclaim(|| self.hold());
        }
    }
}

impl DriverHandle {
    /// Returns whether these calls are lone ones.
    #[must_use]
    pub fn is_lone(&self, input: &Input) -> bool {
        let calls = &input.calls;
        let few = calls.len() <= CALLS && calls.size() <= BYTES && calls.are_commands();
        let lone = &self.inbox.lone;
        let sends = |socket: &LoneSocket| lone.is_idle() || socket.is_detached();
        few && input.stop.is_none() && lone.lock().as_ref().is_some_and(sends)
    }

    /// Hands over lone calls and sends them on this thread, whose event loop awaits the replies. For that `watch` gets a
    /// descriptor: when it is readable, [`Self::readable`] is to be called. Returns `false` without effect if the runtime has to
    /// send them, because it polls the driver or has to read, or because `watch`
    /// returns `false`.
    pub fn push_lone(&self, input: &mut Input, watch: impl FnOnce(TcpStream) -> bool) -> bool {
        let Some(socket) = self.inbox.lone.socket() else {
            return false;
        };
        let Some(mut driver) = self.shared.borrow() else {
            return false;
        };
        let _context = self.runtime.enter();
        // Woken perhaps by a deadline: replies that have come still count. The runtime reads what is left of them, because it
        // takes the socket back before it polls the driver.
        if socket.is_detached() && driver.is_woken() && !socket.read_all(|| self.inbox.lone.hold())
        {
            return false;
        }
        let awaits =
            socket.is_detached() || (self.inbox.lone.is_idle() && socket.detach().is_ok_and(watch));
        if !awaits {
            socket.attach();
            return false;
        }
        self.inbox.push(input);
        driver.poll();
        true
    }

    /// Returns the socket to the runtime: there is more to do than lone calls.
    pub fn end_lone(&self) {
        // If the runtime polls the driver, it has taken the socket.
        if let Some(socket) = self.inbox.lone.socket()
            && socket.is_detached()
            && let Some(_driver) = self.shared.borrow()
        {
            let _context = self.runtime.enter();
            socket.reclaim(|| self.inbox.lone.hold());
        }
    }

    /// Reads what has come on the socket, and handles it. Returns whether the event loop has to report more.
    #[must_use]
    pub fn readable(&self) -> bool {
        let Some(socket) = self.inbox.lone.socket() else {
            return false;
        };
        let Some(mut driver) = self.shared.borrow() else {
            return false;
        };
        if !socket.is_detached() {
            return false;
        }
        let _context = self.runtime.enter();
        // What no call has asked for, such as changes of lists in the cache, is read by the runtime, and so is a long reply.
        let is_asked = !self.inbox.lone.is_idle();
        // Before a deadline is applied, all of it is read.
        let is_all = if driver.is_woken() {
            socket.read_all(|| self.inbox.lone.hold())
        } else {
            socket.read()
        };
        if !is_asked || !is_all {
            socket.attach();
        }
        driver.poll();
        socket.is_detached()
    }
}
