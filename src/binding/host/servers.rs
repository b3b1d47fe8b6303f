//! Snapshots of server ids, for Rust and for JavaScript.

use std::{cell::Cell, rc::Rc};

use napi::{Env, Unknown, bindgen_prelude::JsValue as _};

use crate::binding::values::js::Held;

/// A snapshot of the ids of all servers of a type.
pub struct Servers {
    pub(super) array: Held,
    /// The ids.
    pub ids: Vec<String>,
    /// Whether the driver has heard of them.
    pub(super) told: Cell<bool>,
}

impl Servers {
    /// Makes a list of servers.
    pub fn new(env: &Env, ids: Vec<String>) -> napi::Result<Self> {
        let mut array = env.create_array(0)?;
        for id in &ids {
            array.insert(id.as_str())?;
        }
        let array = Held::new(env, &array.coerce_to_object()?)?;
        let told = Cell::default();
        Ok(Self { array, ids, told })
    }

    /// Returns the servers that are among `sids`; all of them without `sids`.
    pub fn among(self: Rc<Self>, env: &Env, sids: Option<&[String]>) -> napi::Result<Rc<Self>> {
        let Some(sids) = sids else {
            return Ok(self);
        };
        let ids = self.ids.iter().filter(|id| sids.contains(id));
        Self::new(env, ids.cloned().collect()).map(Rc::new)
    }

    /// Returns whether the driver has heard of them, and counts it as told.
    pub fn tell(&self) -> bool {
        self.told.replace(true)
    }

    /// Returns the ids as a JavaScript array.
    pub fn array<'env>(&self, env: &'env Env) -> napi::Result<Unknown<'env>> {
        self.array.get(env).map(|array| array.to_unknown())
    }
}
