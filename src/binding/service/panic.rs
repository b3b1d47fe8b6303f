//! Where panics end. Node-API calls us through C, across which a panic would end the process; napi-rs stops it in
//! methods that ask for that, and not in closures. What a panic leaves undone nobody knows: within a method, before the
//! call was taken, it is that call's error; anywhere else it ends the service, as one in the driver does.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    rc::{Rc, Weak},
};

use napi::{
    Env,
    bindgen_prelude::{Function, FunctionCallContext, ToNapiValue},
};

use crate::{
    binding::{
        service::Service,
        values::{errors, js::Args},
    },
    driver::panic_text,
    error::Error,
};

/// Runs it; a panic is an error, in its words.
pub fn caught<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| panic_text(&*panic))
}

/// Runs it; a panic is thrown as [`Error::Internal`].
pub fn thrown<T>(env: &Env, run: impl FnOnce() -> napi::Result<T>) -> napi::Result<T> {
    caught(run).unwrap_or_else(|words| Err(errors::to_throw(env, &Error::Internal(words))))
}

/// Runs a method of `service`. A panic before its call was taken is thrown; after that its callback is told, as all
/// others are, and it returns `nothing`.
pub fn method<T>(
    service: &Service,
    nothing: T,
    run: impl FnOnce() -> napi::Result<T>,
) -> napi::Result<T> {
    let before = service.calls.borrow().next();
    caught(run).unwrap_or_else(|words| {
        // Else what it had packed would be the beginning of the next call.
        service.input.borrow_mut().calls.undo();
        if service.calls.borrow().next() == before {
            let error = Error::Internal(words);
            return Err(errors::to_throw(&service.env, &error));
        }
        service.broke(words);
        Ok(nothing)
    })
}

/// A JavaScript function that does something on a service, as long as that is there; otherwise, or when it panics, it
/// gives `T`'s default. It does not hold the service.
pub fn closure<'env, T, F>(
    env: &'env Env,
    name: &str,
    service: &Rc<Service>,
    run: F,
) -> napi::Result<Function<'env, Args, T>>
where
    T: ToNapiValue + Default,
    F: Fn(&Rc<Service>, &FunctionCallContext) -> napi::Result<T> + 'static,
{
    let service: Weak<Service> = Rc::downgrade(service);
    env.create_function_from_closure(name, move |call| {
        let Some(service) = service.upgrade() else {
            return Ok(T::default());
        };
        let releasing = service.releasing.get();
        caught(|| run(&service, &call)).unwrap_or_else(|words| {
            service.releasing.set(releasing);
            service.broke(words);
            Ok(T::default())
        })
    })
}

impl Service {
    /// Something panicked that is not only one call's: all that are under way are answered with that, and so are later
    /// ones. Answers are given in a turn of their own, since we may be within a method.
    fn broke(&self, words: String) {
        // A second panic has nobody left to tell.
        let _ = caught(|| {
            // Fails in an environment that is gone only.
            let _ = self.on_died(words);
            self.nudge();
        });
    }
}
