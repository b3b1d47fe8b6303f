//! Looks at a store, for `lib/inspect/views.js`: questions and answers as JSON. What they are is in
//! [`crate::inventory::views`].

use std::{cell::RefCell, panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt as _;
use napi::Env;
use napi_derive::napi;

use crate::{
    binding::values::{errors, js::Return},
    driver::panic_text,
    error::{Error, Result},
    inventory::views::Reader,
    runtime::Runtime,
};

/// A store that is looked at.
#[napi]
pub struct StoreReader {
    reader: Arc<Reader>,
    /// `None` after it was closed.
    runtime: RefCell<Option<Arc<Runtime>>>,
}

/// Makes a reader of the store at an address. It connects with the first question.
#[napi(catch_unwind)]
pub fn open_store(
    env: Env,
    from: String,
    prefix: String,
    hash_tag: bool,
) -> napi::Result<StoreReader> {
    let reader = Reader::new(&from, &prefix, hash_tag);
    let reader = reader.map_err(|error| errors::to_throw(&env, &error))?;
    let runtime = Runtime::share().map_err(|error| Error::Internal(error.to_string()));
    let runtime = runtime.map_err(|error| errors::to_throw(&env, &error))?;
    Ok(StoreReader {
        reader: Arc::new(reader),
        runtime: RefCell::new(Some(runtime)),
    })
}

#[napi]
impl StoreReader {
    /// Returns a promise of the answer to a question. While it is pending the process stays alive.
    #[napi(catch_unwind)]
    pub fn ask(&self, env: Env, question: String) -> napi::Result<Return> {
        let reader = self.reader.clone();
        self.promise(&env, async move { reader.answer(&question).await })
    }

    /// Closes the connection; returns a promise of an empty text. Later questions are refused.
    #[napi(catch_unwind)]
    pub fn close(&self, env: Env) -> napi::Result<Return> {
        let reader = self.reader.clone();
        let closed = self.promise(&env, async move {
            reader.close().await;
            Ok(String::new())
        });
        // The promise keeps the runtime until it is settled.
        self.runtime.borrow_mut().take();
        closed
    }

    fn promise(
        &self,
        env: &Env,
        work: impl Future<Output = Result<String>> + Send + 'static,
    ) -> napi::Result<Return> {
        let (deferred, promise) = env.create_deferred()?;
        let promise = Return::new(&promise);
        let Some(runtime) = self.runtime.borrow().clone() else {
            deferred.resolve(settle(None, Err(Error::Stopped)));
            return Ok(promise);
        };
        let kept = Some(runtime.clone());
        runtime.spawn(async move {
            let done = AssertUnwindSafe(work).catch_unwind().await;
            let done = done.unwrap_or_else(|panic| Err(Error::Internal(panic_text(&*panic))));
            deferred.resolve(settle(kept, done));
        });
        Ok(promise)
    }
}

/// Settles a promise on the JavaScript thread, and drops the share in the runtime there: until then questions are answered.
fn settle(
    kept: Option<Arc<Runtime>>,
    done: Result<String>,
) -> impl FnOnce(Env) -> napi::Result<String> {
    move |env| {
        drop(kept);
        done.map_err(|error| errors::to_throw(&env, &error))
    }
}
