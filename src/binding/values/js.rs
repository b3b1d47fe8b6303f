//! Holds and calls JavaScript functions, partly with raw Node-API.

use std::ptr;

use napi::{
    Env, Status, Unknown, ValueType,
    bindgen_prelude::{
        FromNapiValue, Function, FunctionRef, JsObjectValue as _, JsValue as _,
        JsValuesTupleIntoVec, Null, Object, ObjectRef, ToNapiValue,
    },
    sys,
};

use crate::{
    binding::values::{errors, thrown},
    error::Error,
};

/// The arguments of a call of a JavaScript function.
pub struct Args(Vec<sys::napi_value>);

impl Args {
    /// Makes an empty list of arguments.
    pub fn new() -> Self {
        Self(Vec::with_capacity(8))
    }

    /// Appends a value.
    pub fn with<T: ToNapiValue>(mut self, env: &Env, value: T) -> napi::Result<Self> {
        // SAFETY: `env` is the environment of the JavaScript thread we are on; napi-rs converts.
        self.0.push(unsafe { T::to_napi_value(env.raw(), value) }?);
        Ok(self)
    }

    /// Appends `null`.
    pub fn with_null(self, env: &Env) -> napi::Result<Self> {
        self.with(env, Null)
    }

    /// Appends a value, or `undefined` without one.
    pub fn with_or_undefined<T: ToNapiValue>(
        self,
        env: &Env,
        value: Option<T>,
    ) -> napi::Result<Self> {
        match value {
            Some(value) => self.with(env, value),
            None => self.with(env, ()),
        }
    }

    /// Appends other arguments.
    pub fn append(mut self, Self(others): Self) -> Self {
        self.0.extend(others);
        self
    }

    /// Appends the elements of a JavaScript array.
    pub fn spread(mut self, array: &Object) -> napi::Result<Self> {
        for index in 0..array.get_array_length()? {
            self.0.push(array.get_element::<Unknown>(index)?.raw());
        }
        Ok(self)
    }
}

impl JsValuesTupleIntoVec for Args {
    fn into_vec(self, _env: sys::napi_env) -> napi::Result<Vec<sys::napi_value>> {
        Ok(self.0)
    }
}

/// A JavaScript function, held until this is dropped.
pub struct Ref(FunctionRef<Args, Unknown<'static>>);

impl Ref {
    /// Holds `function`.
    pub fn function<R: FromNapiValue>(function: &Function<Args, R>) -> napi::Result<Self> {
        let function: Function<Args, Unknown<'static>> =
            // SAFETY: a function handle of this environment; only the type of its result changes.
            unsafe { function.to_unknown().cast() }?;
        function.create_ref().map(Self)
    }

    /// Calls the function; what it throws is the error.
    pub fn call(&self, env: &Env, args: Args) -> napi::Result<Unknown<'static>> {
        thrown::call(env, &self.0.borrow_back(env)?, args)
    }
}

/// Calls `callback` if it is a function; any other value counts as "no callback", as in 0.0.7. What it throws becomes
/// an `uncaughtException` and is not returned, because other callbacks still have to be called.
pub fn call_back(env: &Env, callback: &Unknown, Args(args): Args) -> napi::Result<()> {
    if callback.get_type()? != ValueType::Function {
        return Ok(());
    }
    let mut result = ptr::null_mut();
    // What was thrown goes on as it is, also a text.
    match thrown::call_raw(env.raw(), callback.raw(), &args, &raw mut result) {
        sys::Status::napi_ok => Ok(()),
        sys::Status::napi_pending_exception => uncaught(env),
        other => Err(napi::Error::from_status(Status::from(other))),
    }
}

/// What `lib/` has registered in an environment. Where modules run in realms of their own (Jest), each realm registers
/// its functions again, and the last one counts.
#[derive(Default)]
pub struct Registered {
    /// `(message, code, cause, isTypeError) => error`, from `lib/native.js`.
    pub make_error: Option<Ref>,
    installed: Option<Installed>,
}

impl Registered {
    pub fn of(env: &Env) -> napi::Result<&'static Self> {
        Self::entry(env).map(|registered| &*registered)
    }

    /// Registers functions; `set` must not run JavaScript.
    pub fn update(env: &Env, set: impl FnOnce(&mut Self)) -> napi::Result<()> {
        Self::entry(env).map(set)
    }

    fn entry(env: &Env) -> napi::Result<&'static mut Self> {
        if env.get_instance_data::<Self>()?.is_none() {
            env.set_instance_data(Self::default(), (), |_| {})?;
        }
        let entry = env.get_instance_data::<Self>()?;
        entry.ok_or_else(|| napi::Error::from_status(Status::GenericFailure))
    }

    /// Registers the functions of `lib/globalChannel.js`.
    pub fn install(&mut self, installed: Installed) {
        self.installed = Some(installed);
    }
}

/// The functions that `lib/globalChannel.js` installs.
pub struct Installed {
    /// Makes the host of an instance.
    pub attach: Ref,
    /// Throws its argument in a later turn of the event loop.
    pub rethrow: Ref,
    /// `(app) => folder`: the base of relative paths.
    pub base_of: Ref,
    /// `(this) => instance | undefined`: the instance behind a Proxy or an heir (`lib/instances.js`).
    pub instance_of: Ref,
    /// `(object) => {text} | {why}`: reads an object as an id (`lib/ids.js`).
    pub read_object: Ref,
    /// `(array) => [text, NULs, copy]`: reads a long array of uids (`lib/uids.js`); see [`super::joined`].
    pub read_uids: Ref,
    /// `(array, longestUid, longestSid) => [text, NULs, copy]`: the same for `{uid, sid}` (`lib/pairs.js`).
    pub read_pairs: Ref,
}

impl Installed {
    pub fn of(env: &Env) -> napi::Result<&Self> {
        let words = || "load pome-globalchannel-plugin, not its binding.js".to_owned();
        let installed = &Registered::of(env)?.installed;
        installed
            .as_ref()
            .ok_or_else(|| errors::to_throw(env, &Error::Internal(words())))
    }
}

/// The callback of a `start` or `stop`, held until it is called; or none. Callbacks of calls to the store wait in
/// `lib/answers.js`.
pub struct Callback(Option<Ref>);

impl Callback {
    /// Holds `value` if it is a function.
    pub fn new(value: &Unknown) -> napi::Result<Self> {
        if value.get_type()? != ValueType::Function {
            return Ok(Self(None));
        }
        // SAFETY: its type was checked just now.
        let function: Function<Args> = unsafe { value.cast() }?;
        Ref::function(&function).map(Some).map(Self)
    }

    /// Calls the function; see [`call_back`].
    pub fn call(self, env: &Env, args: Args) -> napi::Result<()> {
        match self.0 {
            Some(Ref(function)) => call_back(env, &function.borrow_back(env)?.to_unknown(), args),
            None => Ok(()),
        }
    }
}

/// Throws the pending exception again in a later turn of the event loop, where it becomes an `uncaughtException`.
/// Thrown at once it would reach the caller of the method that is running.
fn uncaught(env: &Env) -> napi::Result<()> {
    let mut thrown = ptr::null_mut();
    // SAFETY: called on the JavaScript thread with an exception pending. Fails only in an environment that is being
    // torn down, where no exception is reported any more.
    let status = unsafe { sys::napi_get_and_clear_last_exception(env.raw(), &raw mut thrown) };
    match &Registered::of(env)?.installed {
        Some(Installed { rethrow, .. }) if status == sys::Status::napi_ok => {
            rethrow.call(env, Args(vec![thrown])).map(drop)
        }
        _ => Ok(()),
    }
}

/// Clears a pending exception that does not matter.
pub fn forget_exception(env: &Env) {
    let mut thrown = ptr::null_mut();
    // SAFETY: on the JavaScript thread. Without an exception it gives `undefined`.
    unsafe { sys::napi_get_and_clear_last_exception(env.raw(), &raw mut thrown) };
}

/// A JavaScript object, held until this is dropped, which happens on its own JavaScript thread: it does not leave the
/// service, and the service does not leave the thread.
pub struct Held {
    env: Env,
    object: Option<ObjectRef<false>>,
}

impl Held {
    /// Holds `object`.
    pub fn new(env: &Env, object: &Object) -> napi::Result<Self> {
        let object = Some(object.create_ref::<false>()?);
        Ok(Self { env: *env, object })
    }

    /// Returns the object.
    pub fn get<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        match &self.object {
            Some(object) => object.get_value(env),
            None => Err(napi::Error::from_status(Status::GenericFailure)),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(object) = self.object.take() {
            // Fails only in an environment that is gone, with all its references.
            let _ = object.unref(&self.env);
        }
    }
}

/// A return value for JavaScript, without a lifetime, which closures cannot name.
pub struct Return(sys::napi_value);

impl Return {
    /// Takes any value of the current scope.
    pub fn new<'env>(value: &impl napi::bindgen_prelude::JsValue<'env>) -> Self {
        Self(value.raw())
    }
}

impl ToNapiValue for Return {
    unsafe fn to_napi_value(_env: sys::napi_env, value: Self) -> napi::Result<sys::napi_value> {
        Ok(value.0)
    }
}
