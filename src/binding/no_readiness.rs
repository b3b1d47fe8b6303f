//! Where the event loop is not asked about sockets: lone calls go through the runtime's thread as all others.

use std::{net::TcpStream, rc::Rc};

use napi::{Env, Status};

/// Returns whether sockets can be watched.
pub fn is_supported(_env: &Env) -> bool {
    false
}

/// What would be called.
pub struct Readable;

impl Readable {
    /// Drops `_call`.
    pub fn new(_env: &Env, _call: impl Fn() + 'static) -> napi::Result<Rc<Self>> {
        Ok(Rc::new(Self))
    }
}

/// A socket that is watched; there is none.
pub enum Readiness {}

impl Readiness {
    /// Fails.
    pub fn new(_env: &Env, _socket: TcpStream, _readable: Rc<Readable>) -> napi::Result<Self> {
        Err(napi::Error::new(Status::GenericFailure, "not supported"))
    }

    /// Returns whether no further call comes.
    pub fn has_stopped(&self) -> bool {
        match *self {}
    }
}
