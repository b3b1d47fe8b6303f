//! Tells when a socket is readable, by `uv_poll` of the event loop that Node runs JavaScript in. Node-API gives the loop, but
//! no function of libuv; Node exports those, and they are looked up by name, because an addon that is linked to them cannot be
//! loaded where they are missing.

use std::{
    cell::{Cell, RefCell},
    ffi::{CStr, c_char, c_int, c_void},
    mem::transmute,
    net::TcpStream,
    os::fd::AsRawFd as _,
    ptr,
    rc::Rc,
    sync::LazyLock,
};

use napi::{
    Env, Status,
    bindgen_prelude::{JsObjectValue as _, JsValue as _, Object, check_status},
    sys,
};

/// `UV_POLL` of `uv_handle_type`, and `UV_READABLE`: part of libuv's ABI since 1.0.
const UV_POLL: c_int = 8;
const UV_READABLE: c_int = 1;

type Handle = *mut c_void;
type OnPoll = extern "C" fn(Handle, c_int, c_int);
type OnClose = extern "C" fn(Handle);

type Size = unsafe extern "C" fn(c_int) -> usize;
type SetData = unsafe extern "C" fn(Handle, *mut c_void);
type GetData = unsafe extern "C" fn(Handle) -> *mut c_void;
type Init = unsafe extern "C" fn(*mut sys::uv_loop_s, Handle, c_int) -> c_int;
type Start = unsafe extern "C" fn(Handle, c_int, OnPoll) -> c_int;
type Unref = unsafe extern "C" fn(Handle);
type Close = unsafe extern "C" fn(Handle, OnClose);

/// The functions of libuv.
struct Uv {
    handle_size: Size,
    set_data: SetData,
    get_data: GetData,
    init: Init,
    start: Start,
    unref: Unref,
    close: Close,
}

static UV: LazyLock<Option<Uv>> = LazyLock::new(Uv::find);

unsafe extern "C" {
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
}

impl Uv {
    fn find() -> Option<Self> {
        let find = |name: &CStr| {
            // SAFETY: null is RTLD_DEFAULT on Linux: the program and its libraries.
            let found = unsafe { dlsym(ptr::null_mut(), name.as_ptr()) };
            (!found.is_null()).then_some(found)
        };
        // SAFETY: these are functions of libuv with these signatures, in each version since 1.19.
        unsafe {
            Some(Self {
                handle_size: transmute::<*mut c_void, Size>(find(c"uv_handle_size")?),
                set_data: transmute::<*mut c_void, SetData>(find(c"uv_handle_set_data")?),
                get_data: transmute::<*mut c_void, GetData>(find(c"uv_handle_get_data")?),
                init: transmute::<*mut c_void, Init>(find(c"uv_poll_init")?),
                start: transmute::<*mut c_void, Start>(find(c"uv_poll_start")?),
                unref: transmute::<*mut c_void, Unref>(find(c"uv_unref")?),
                close: transmute::<*mut c_void, Close>(find(c"uv_close")?),
            })
        }
    }
}

/// Returns whether the event loop is Node's. Bun and Deno have functions with the names of libuv's that end the process.
pub fn is_supported(env: &Env) -> bool {
    let is_node = || {
        let process: Object = env.get_global()?.get_named_property("process")?;
        let versions: Object = process.get_named_property("versions")?;
        let others = versions.has_named_property("bun")? || versions.has_named_property("deno")?;
        napi::Result::Ok(!others && versions.has_named_property("uv")?)
    };
    UV.is_some() && is_node().unwrap_or(false)
}

/// What is called when a socket is readable. The callbacks within run in the asynchronous context in which this was
/// made, as those for which the runtime's thread wakes this one do. Not a JavaScript function: that would enter
/// JavaScript only to leave it again.
pub struct Readable {
    env: sys::napi_env,
    context: sys::napi_async_context,
    call: Box<dyn Fn()>,
}

impl Readable {
    /// Calls `call`, which must not panic, in a callback scope of its own.
    pub fn new(env: &Env, call: impl Fn() + 'static) -> napi::Result<Rc<Self>> {
        let name = env.create_string("pome-globalchannel-plugin")?;
        let mut context = ptr::null_mut();
        // SAFETY: on the JavaScript thread, with its environment; without a resource Node makes one.
        check_status!(unsafe {
            sys::napi_async_init(env.raw(), ptr::null_mut(), name.raw(), &raw mut context)
        })?;
        let (env, call) = (env.raw(), Box::new(call));
        Ok(Rc::new(Self { env, context, call }))
    }

    /// Makes the call as Node makes one for an event of its own.
    fn call(&self) {
        let env = self.env;
        let (mut handles, mut global, mut scope) =
            (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        // SAFETY: this is the thread of the environment, within its event loop, and the environment has not ended: then the
        // handle would be closed.
        unsafe {
            if sys::napi_open_handle_scope(env, &raw mut handles) != sys::Status::napi_ok {
                return;
            }
            sys::napi_get_global(env, &raw mut global);
            let opened = sys::napi_open_callback_scope(env, global, self.context, &raw mut scope);
            if opened == sys::Status::napi_ok {
                (self.call)();
                sys::napi_close_callback_scope(env, scope);
            }
            sys::napi_close_handle_scope(env, handles);
        }
    }
}

impl Drop for Readable {
    fn drop(&mut self) {
        // SAFETY: on the JavaScript thread; the context is destroyed once.
        unsafe { sys::napi_async_destroy(self.env, self.context) };
    }
}

/// A socket that is watched, until this is dropped. It does not keep the process alive.
pub struct Readiness(Rc<Watch>);

struct Watch {
    /// A `uv_poll_t`.
    memory: RefCell<Vec<u64>>,
    /// Called when the socket is readable; `None` once it is closed.
    readable: RefCell<Option<Rc<Readable>>>,
    /// What has the handle closed when the environment ends first.
    hook: Cell<sys::napi_async_cleanup_hook_handle>,
    /// Whether libuv has stopped the handle because of an error, so that no further call comes.
    stopped: Cell<bool>,
    /// Open until libuv has let go of it.
    _socket: TcpStream,
}

impl Readiness {
    /// Calls `readable` whenever there is something to read on the socket.
    pub fn new(env: &Env, socket: TcpStream, readable: Rc<Readable>) -> napi::Result<Self> {
        let failed = || napi::Error::new(Status::GenericFailure, "libuv");
        let uv = UV.as_ref().ok_or_else(failed)?;
        let mut event_loop = ptr::null_mut();
        // SAFETY: the environment of this thread.
        let got = unsafe { sys::napi_get_uv_event_loop(env.raw(), &raw mut event_loop) };
        if got != sys::Status::napi_ok {
            return Err(failed());
        }
        let fd = socket.as_raw_fd();
        // SAFETY: no precondition.
        let size = unsafe { (uv.handle_size)(UV_POLL) };
        let watch = Rc::new(Watch {
            memory: RefCell::new(vec![0; size.div_ceil(8)]),
            readable: RefCell::new(Some(readable)),
            hook: Cell::new(ptr::null_mut()),
            stopped: Cell::new(false),
            _socket: socket,
        });
        let handle = watch.handle();
        // SAFETY: memory of the size that libuv asks for; the socket is open, and non-blocking.
        if unsafe { (uv.init)(event_loop, handle, fd) } != 0 {
            return Err(failed());
        }
        // From here on libuv has the handle: the memory is freed when it has closed it.
        // SAFETY: an initialised handle.
        unsafe { (uv.set_data)(handle, Rc::into_raw(watch.clone()).cast_mut().cast()) };
        let readiness = Self(watch);
        let mut hook = ptr::null_mut();
        // SAFETY: the handle stays valid until its close callback, which removes the hook.
        let hooked = unsafe {
            sys::napi_add_async_cleanup_hook(env.raw(), Some(on_exit), handle, &raw mut hook)
        };
        if hooked != sys::Status::napi_ok {
            return Err(failed());
        }
        readiness.0.hook.set(hook);
        // SAFETY: an initialised handle.
        unsafe {
            (uv.unref)(handle);
            if (uv.start)(handle, UV_READABLE, on_poll) != 0 {
                return Err(failed());
            }
        }
        Ok(readiness)
    }

    /// Returns whether the last call was the last one, because of an error of the socket.
    pub fn has_stopped(&self) -> bool {
        self.0.stopped.get()
    }
}

impl Drop for Readiness {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Watch {
    fn handle(&self) -> Handle {
        self.memory.borrow_mut().as_mut_ptr().cast()
    }

    /// Closes the handle, once. The reference to the function must go now: at the end of the environment it is freed before
    /// libuv calls back.
    fn close(&self) {
        if let (Some(_), Some(uv)) = (self.readable.take(), UV.as_ref()) {
            // SAFETY: an initialised handle that is not closing.
            unsafe { (uv.close)(self.handle(), on_closed) };
        }
    }
}

/// Returns the watch of a handle.
///
/// # Safety
///
/// `handle` is one of [`Readiness::new`], and its close callback has not returned.
unsafe fn watch_of<'a>(handle: Handle) -> Option<&'a Watch> {
    let uv = UV.as_ref()?;
    // SAFETY: the data is what `new` has set.
    unsafe { (uv.get_data)(handle).cast::<Watch>().as_ref() }
}

/// Libuv reports an error once and stops the handle; which error, reading tells.
extern "C" fn on_poll(handle: Handle, status: c_int, _events: c_int) {
    // SAFETY: libuv calls back for open handles only.
    let Some(watch) = (unsafe { watch_of(handle) }) else {
        return;
    };
    watch.stopped.set(status != 0);
    // Held beyond the call, which may close the watch.
    let readable = watch.readable.borrow().clone();
    if let Some(readable) = readable {
        readable.call();
    }
}

extern "C" fn on_closed(handle: Handle) {
    // SAFETY: called once for each handle, whose data `new` has made by `Rc::into_raw`.
    unsafe {
        let Some(uv) = UV.as_ref() else { return };
        let watch = Rc::from_raw((uv.get_data)(handle).cast::<Watch>());
        let hook = watch.hook.get();
        if !hook.is_null() {
            sys::napi_remove_async_cleanup_hook(hook);
        }
    }
}

/// Closes the handle because the environment ends, which waits until it is closed.
unsafe extern "C" fn on_exit(_hook: sys::napi_async_cleanup_hook_handle, handle: *mut c_void) {
    // SAFETY: the hook is removed when the handle is closed.
    if let Some(watch) = unsafe { watch_of(handle) } {
        watch.close();
    }
}
