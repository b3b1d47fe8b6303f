//! Catches panics. Node-API calls this crate through C, where a panic would abort the process; napi-rs catches those of
//! methods with `catch_unwind`, but not those of closures. The state after a panic is unknown: within a method, before its
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

/// Runs a function; a panic becomes an error with its message.
pub fn caught<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| panic_text(&*panic))
}

/// Runs a function; a panic is thrown as [`Error::Internal`].
pub fn thrown<T>(env: &Env, run: impl FnOnce() -> napi::Result<T>) -> napi::Result<T> {
    caught(run).unwrap_or_else(|words| Err(errors::to_throw(env, &Error::Internal(words))))
}

/// Runs a method of `service`. A panic before its call was taken is thrown. After that it ends the service, so that its
/// callback gets an error like all others, and the method returns `nothing`.
pub fn method<T>(
    service: &Service,
    nothing: T,
    run: impl FnOnce() -> napi::Result<T>,
) -> napi::Result<T> {
    let before = service.calls.borrow().next();
    caught(run).unwrap_or_else(|words| {
        // Otherwise the packed part would become the beginning of the next call.
        service.input.borrow_mut().calls.undo();
        if service.calls.borrow().next() == before {
            let error = Error::Internal(words);
            return Err(errors::to_throw(&service.env, &error));
        }
        service.broke(words);
        Ok(nothing)
    })
}

/// Makes a JavaScript function that runs `run` on a service, to which it has a weak reference. It returns `T`'s default if
/// the service does not exist any more or `run` panics.
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
        guarded(&service, || run(&service, &call))
    })
}

/// Runs what no method has called; a panic ends the service.
pub fn guarded<T: Default>(
    service: &Service,
    run: impl FnOnce() -> napi::Result<T>,
) -> napi::Result<T> {
    let releasing = service.releasing.get();
    caught(run).unwrap_or_else(|words| {
        service.releasing.set(releasing);
        service.broke(words);
        Ok(T::default())
    })
}

impl Service {
    /// Ends the service after a panic that does not belong to one call: all calls in flight, and later ones, are answered
    /// with it. They are answered in a later turn, since this may run within a method.
    fn broke(&self, words: String) {
        // A second panic cannot be reported.
        let _ = caught(|| {
            // Fails only in an environment that is gone.
            let _ = self.on_died(words);
            self.nudge();
        });
    }
}
