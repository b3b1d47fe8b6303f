//! Fail points: places where a test makes the code do something wrong, to check that other tests detect it. Each rule
//! that keeps reads correct, in the member cache of Redis and in the embedded store, has one; other places panic
//! ([`may_panic`]).
//!
//! They exist in unit tests, and in an addon built with the feature `failpoints`, where the environment names the
//! active one (`GLOBALCHANNEL_BROKEN`, `GLOBALCHANNEL_PANIC`). In every other build [`fail_point!`] expands to nothing.
//! Wrong behaviour that is more than a constant is in the modules `failpoints` of the cache and of the embedded store,
//! which only those builds compile.
//!
//! The crate `fail` is not used: its fail points are process-wide, and unit tests, which run in parallel, each break
//! another rule.

#[cfg(any(test, feature = "failpoints"))]
pub use active::{Active, NAMES, activate, is_active};

/// Returns early with the second argument's value, if it is `Some`, while the fail point of that name is active.
macro_rules! fail_point {
    ($name:literal, $wrong:expr) => {
        #[cfg(any(test, feature = "failpoints"))]
        if $crate::failpoints::is_active($name)
            && let Some(wrong) = $wrong
        {
            return wrong;
        }
    };
}
pub(crate) use fail_point;

/// Carries the fail point that is active on this thread to the thread that runs `work`.
pub(crate) fn carried<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
    #[cfg(any(test, feature = "failpoints"))]
    let name = active::on_this_thread();
    move || {
        #[cfg(any(test, feature = "failpoints"))]
        let _active = name.map(activate);
        work()
    }
}

#[cfg(any(test, feature = "failpoints"))]
mod active {
    use std::{cell::Cell, sync::LazyLock};

    /// All fail points. Names of those of the embedded store begin with `embedded`.
    pub const NAMES: &[&str] = &[
        "no-barrier",
        "no-token",
        "no-place",
        "place-too-late",
        "not-together",
        "serves-moved",
        "null-keeps-loads",
        "joins-sent-load",
        "joins-older-load",
        "joins-over-candidate",
        "joins-over-command",
        "joins-over-reread",
        "shares-sent-barrier",
        "no-fallback-same-batch",
        "no-fallback-next-batch",
        "no-fallback-for-reads",
        "no-fallback-open",
        "by-reference",
        "barrier-ignores-count",
        "barrier-ignores-empty",
        "barrier-ignores-redirect",
        "barrier-one-sum",
        "fills-untracked",
        "caching-not-sent",
        "caching-unanswered",
        "keeps-dead-keys",
        "cache-on-resp2",
        "panicking-closure",
        "embedded-no-version",
        "embedded-version-stays",
        "embedded-any-commit",
        "embedded-seen-by-writer",
        "embedded-keep-own",
        "embedded-own-as-others",
        "embedded-same-number",
        "embedded-gone-writes",
    ];

    thread_local! {
        static THREAD: Cell<Option<&'static str>> = const { Cell::new(None) };
    }

    /// The fail point that the environment activates for the whole process.
    static PROCESS: LazyLock<Option<&'static str>> = LazyLock::new(|| {
        let name = std::env::var("GLOBALCHANNEL_BROKEN").ok()?;
        Some(known(&name))
    });

    /// Keeps a fail point active on its thread until it is dropped.
    #[derive(Debug)]
    pub struct Active(Option<&'static str>);

    /// Activates the fail point of this name on this thread.
    ///
    /// # Panics
    /// If there is no such fail point.
    #[must_use]
    pub fn activate(name: &str) -> Active {
        Active(THREAD.replace(Some(known(name))))
    }

    impl Drop for Active {
        fn drop(&mut self) {
            THREAD.set(self.0);
        }
    }

    /// Returns whether the fail point of this name is active here.
    #[must_use]
    pub fn is_active(name: &str) -> bool {
        debug_assert!(NAMES.contains(&name), "{name}");
        on_this_thread().or(*PROCESS) == Some(name)
    }

    pub(super) fn on_this_thread() -> Option<&'static str> {
        THREAD.get()
    }

    fn known(name: &str) -> &'static str {
        let known = NAMES.iter().find(|known| **known == name);
        known.expect("the name of a fail point")
    }
}

/// Panics at the n-th passage of this place, once, if `GLOBALCHANNEL_PANIC` is `place:n`, for tests of panics. Does
/// nothing except in an addon built with the feature `failpoints`.
///
/// # Panics
/// If that is asked for.
#[inline]
pub fn may_panic(place: &str) {
    #[cfg(feature = "failpoints")]
    {
        use std::sync::{
            LazyLock,
            atomic::{AtomicU32, Ordering},
        };
        static ASKED: LazyLock<Option<(String, u32)>> = LazyLock::new(|| {
            let asked = std::env::var("GLOBALCHANNEL_PANIC").ok()?;
            let (place, passage) = asked.split_once(':')?;
            Some((place.to_owned(), passage.parse().ok()?))
        });
        static PASSED: AtomicU32 = AtomicU32::new(0);
        if let Some((asked, passage)) = &*ASKED
            && asked == place
            && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *passage
        {
            panic!("panics at {place} on purpose");
        }
    }
    #[cfg(not(feature = "failpoints"))]
    let _ = place;
}
