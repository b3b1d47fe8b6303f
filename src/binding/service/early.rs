//! Keeps the calls that are made before a start is done, if option `waitForStart` says so. The calls themselves are in
//! JavaScript (`lib/early.js`): before `start` nothing native may hold the instance. They are made in call order when
//! the start has succeeded; a start that fails, and `stop`, answer them with an error.

use std::{cell::Cell, rc::Rc};

use napi::{
    Unknown,
    bindgen_prelude::{Function, JsObjectValue as _, Object},
};

use crate::binding::{
    answers::CALLBACKS,
    host::Host,
    methods::Kind,
    service::{
        Service,
        call::{Late, State},
    },
    values::{js::Args, thrown},
};

/// Whether calls are kept, and how many are.
#[derive(Debug, Default)]
pub struct Early {
    /// Whether calls are kept now: before the first start and during a start. After a failed start they are refused,
    /// as there may be no other.
    pub keeps: Cell<bool>,
    /// The number of calls that are kept.
    pub count: Cell<usize>,
    /// Whether the next call is one that was kept.
    makes: Cell<bool>,
}

impl Early {
    /// Makes the state of a service that was not started yet.
    pub fn new(keeps: bool) -> Self {
        Self {
            keeps: Cell::new(keeps),
            ..Self::default()
        }
    }
}

impl Service {
    /// Keeps a call; returns `false` if it is to be made, or refused, now.
    pub fn keep(&self, kind: Kind, channel: &Object, args: &[Unknown]) -> napi::Result<bool> {
        if !self.early.keeps.get() || self.early.makes.take() {
            return Ok(false);
        }
        if self.unanswered() >= self.options.max_queue {
            return Ok(false);
        }
        let host: Object = channel.get_named_property("_host")?;
        let keep: Function<Args, Unknown> = host.get_named_property("keep")?;
        let call = Args::new().with(&self.env, kind.name())?;
        let call = args
            .iter()
            .try_fold(call, |call, arg| call.with(&self.env, *arg))?;
        thrown::call(&self.env, &keep, call)?;
        self.early.count.set(self.early.count.get() + 1);
        Ok(true)
    }

    /// Makes the calls that are kept, when the start has succeeded, some in each turn of the event loop. What is called
    /// meanwhile is kept behind them.
    pub fn make_kept(&self) -> napi::Result<()> {
        let mut done = Ok(());
        let mut left = CALLBACKS;
        while self.state.get() == State::Started && self.early.count.get() > 0 {
            if left == 0 {
                let token = self.later(Late::Kept);
                return self.host()?.wait(&self.env, token, 0).and(done);
            }
            left -= 1;
            self.early.count.set(self.early.count.get() - 1);
            self.early.makes.set(true);
            let made = self.host().and_then(|host| host.make_kept(&self.env));
            self.early.makes.set(false);
            done = done.and(made);
        }
        self.early.keeps.set(false);
        done
    }

    /// Answers the calls that are kept with an error. `host` is that of the start, which may be released by now.
    pub fn refuse_kept(&self, host: Option<Rc<Host>>, error: Unknown) -> napi::Result<()> {
        self.early.keeps.set(false);
        match host {
            Some(host) if self.early.count.replace(0) > 0 => host.refuse_kept(&self.env, error),
            _ => Ok(()),
        }
    }
}
