//! Lone calls: while few calls are in flight, the JavaScript thread sends them itself and reads the replies in its event
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

use super::{Driver, DriverHandle, Input, Outlet, in_flight::Answered};
use crate::{
    lone_socket::LoneSocket,
    manager::Manager,
    shared_task::{is_borrowing, unborrowed},
};

/// The maximum number of calls that are handed over as lone ones, and of their keys and members and the bytes of these.
/// A key takes the JavaScript thread one to two microseconds, to send a command for it and to read the reply. With
/// more, the runtime's thread works beside it.
const CALLS: usize = 64;
const ITEMS: usize = 128;
const BYTES: usize = 1 << 14;

/// The maximum number of members that the JavaScript thread looks at to make an answer, such as those of lists that it unites; each
/// takes some 0.2 µs.
const MEMBERS: usize = 2000;

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
    /// Whether calls wait until others are answered.
    waits: AtomicBool,
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

    pub(super) fn set_waits(&self, waits: bool) {
        self.waits.store(waits, Relaxed);
    }

    /// Returns whether calls wait. With them the event loop could be busy for long: each answer is followed by as many.
    fn waits(&self) -> bool {
        self.waits.load(Relaxed)
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

    /// Notes that calls were answered.
    pub(super) fn answered(&self) {
        let socket = self.lock();
        if let Some(socket) = socket.as_ref().filter(|socket| socket.is_detached()) {
            socket.answered();
        }
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
        let few = calls.len() <= CALLS && calls.items() <= ITEMS && calls.size() <= BYTES;
        let lone = &self.inbox.lone;
        let sends = |socket: &LoneSocket| lone.is_idle() || (socket.is_detached() && !lone.waits());
        let few = few && calls.are_commands() && input.stop.is_none();
        few && lone.lock().as_ref().is_some_and(sends)
    }

    /// Hands over lone calls and sends them on this thread, whose event loop awaits the replies. For that `watch` gets a
    /// descriptor: when it is readable, [`Self::readable`] is to be called. Returns `false` without effect if the runtime has to
    /// send them, because it polls the driver or has to, or because `watch` returns `false`.
    pub fn push_lone(&self, input: &mut Input, watch: impl FnOnce(TcpStream) -> bool) -> bool {
        let Some(socket) = self.inbox.lone.socket() else {
            return false;
        };
        let Some(mut driver) = self.shared.borrow() else {
            return false;
        };
        let _context = self.runtime.enter();
        // Woken perhaps by a deadline, before which the runtime reads what has come.
        if socket.is_detached() && driver.is_woken() {
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

    /// Lets the runtime take the socket back. [`Self::push`] does so too.
    pub fn end_lone(&self) {
        self.shared.waker().wake_by_ref();
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
        // Woken perhaps by a deadline, before which the runtime reads what has come.
        if !socket.is_detached() || driver.is_woken() {
            return false;
        }
        let _context = self.runtime.enter();
        // What no call has asked for, such as changes of lists in the cache, is read by the runtime, and so is a long reply.
        let is_asked = !self.inbox.lone.is_idle();
        let is_all = socket.read();
        if !is_asked || !is_all {
            socket.attach();
        }
        driver.poll();
        socket.is_detached()
    }
}

impl<M: Manager, O: Outlet> Driver<M, O> {
    /// Leaves an answer that takes long to make to the runtime's thread.
    pub(super) async fn leave_if_long(&mut self, answered: &Answered) {
        if is_borrowing() && self.pending.work(answered) > MEMBERS {
            unborrowed().await;
        }
    }
}
