//! Lone calls on this side: when several times in a row few calls came at a time, the event loop awaits their replies
//! ([`crate::driver::DriverHandle::push_lone`]).

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use crate::{
    binding::{
        answers::outbox::Outbox,
        readiness::{self, Readable, Readiness},
        service::{Service, panic::guarded},
        values::errors,
    },
    driver::{DriverHandle, Input},
};

/// How many calls must have been lone ones: moving a socket costs some system calls.
const STREAK: u32 = 8;

/// The state of one service.
#[derive(Default)]
pub struct Lone {
    /// The number of lone calls in a row.
    streak: Cell<u32>,
    /// What is called when the socket is readable.
    readable: RefCell<Option<Rc<Readable>>>,
    /// What reports that the socket is readable, while the event loop has it.
    readiness: RefCell<Option<Readiness>>,
    /// Whether this program's event loop can do that; `None` until it is asked.
    supported: Cell<Option<bool>>,
}

impl Lone {
    /// Returns whether the event loop has the socket.
    pub fn is_active(&self) -> bool {
        self.readiness.borrow().is_some()
    }
}

impl Service {
    /// Makes what is called when a socket is readable.
    pub fn open_lone(self: &Rc<Self>) -> napi::Result<()> {
        let service = Rc::downgrade(self);
        let readable = Readable::new(&self.env, move || {
            let Some(service) = service.upgrade() else {
                return;
            };
            if let Err(error) = guarded(&service, || service.on_readable()) {
                errors::report(&service.env, error);
            }
        })?;
        self.lone.readable.replace(Some(readable));
        Ok(())
    }

    /// Hands calls over to the driver: lone ones are sent by this thread.
    pub fn hand_over(&self, driver: &DriverHandle, input: &mut Input) {
        let lone = &self.lone;
        if !driver.is_lone(input) {
            lone.streak.set(0);
            self.end_lone();
        } else if lone.streak.get() < STREAK {
            lone.streak.set(lone.streak.get() + 1);
        } else if self.is_lone_supported() {
            let watch = |socket| {
                let readable = lone.readable.borrow().clone();
                let readiness =
                    readable.and_then(|readable| Readiness::new(&self.env, socket, readable).ok());
                let watches = readiness.is_some();
                lone.readiness.replace(readiness);
                watches
            };
            if driver.push_lone(input, watch) {
                // Rare: a call that could be answered without the store.
                self.pay_wake();
                return;
            }
            lone.streak.set(0);
            self.end_lone();
        }
        driver.push(input);
    }

    /// Ends waiting for a socket.
    pub fn end_lone(&self) {
        self.lone.readiness.take();
    }

    fn is_lone_supported(&self) -> bool {
        let lone = &self.lone;
        lone.supported.get().unwrap_or_else(|| {
            let supported = readiness::is_supported(&self.env);
            lone.supported.set(Some(supported));
            supported
        })
    }

    fn on_readable(self: &Rc<Self>) -> napi::Result<()> {
        let driver = self.driver.borrow();
        let mut goes_on = driver.as_ref().is_some_and(DriverHandle::readable);
        let watch = self.lone.readiness.borrow();
        if goes_on && watch.as_ref().is_some_and(Readiness::has_stopped) {
            goes_on = false;
            if let Some(driver) = &*driver {
                driver.end_lone();
            }
        }
        drop((driver, watch));
        if !goes_on {
            self.lone.streak.set(0);
            self.end_lone();
        }
        let owed = self.outbox.borrow().as_ref().is_some_and(Outbox::take_owed);
        if owed { self.on_wake() } else { Ok(()) }
    }

    /// Wakes this thread for events that it has delivered to itself.
    fn pay_wake(&self) {
        if let Some(outbox) = &*self.outbox.borrow()
            && outbox.take_owed()
        {
            outbox.wake();
        }
    }
}
