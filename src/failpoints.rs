//! The rules that keep what is read true, in the member cache of Redis and in the embedded store. Each can be
//! broken on purpose, so that the tests can be seen to fail: in unit tests, and in an addon built
//! with the feature `broken`, which reads `GLOBALCHANNEL_BROKEN`. In every other build nothing is broken
//! and the questions cost nothing. The rules themselves are told where they are kept. Panics can be had on purpose, too.

/// What is broken: the name of a rule, or nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Broken(#[cfg(any(test, feature = "broken"))] Option<&'static str>);

impl Broken {
    /// Every name that can be asked for. Those of the embedded store begin with its name.
    #[cfg(any(test, feature = "broken"))]
    pub const NAMES: &[&str] = &[
        "no-barrier",
        "no-token",
        "null-keeps-loads",
        "joins-sent-load",
        "shares-sent-barrier",
        "no-fallback-same-batch",
        "no-fallback-next-batch",
        "no-fallback-for-reads",
        "by-reference",
        "barrier-ignores-count",
        "barrier-ignores-empty",
        "barrier-one-sum",
        "fills-untracked",
        "caching-not-sent",
        "caching-unanswered",
        "keeps-debts",
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

    /// The rule of this name is broken.
    ///
    /// # Panics
    /// If there is no such rule.
    #[cfg(any(test, feature = "broken"))]
    #[must_use]
    pub fn rule(name: &str) -> Self {
        let known = Self::NAMES.iter().find(|known| **known == name);
        Self(Some(known.expect("a rule that can be broken")))
    }

    /// What the environment asks for.
    #[must_use]
    pub fn from_env() -> Self {
        #[cfg(feature = "broken")]
        if let Ok(name) = std::env::var("GLOBALCHANNEL_BROKEN") {
            return Self::rule(&name);
        }
        Self::default()
    }

    /// Whether the rule of this name is broken.
    #[must_use]
    pub fn is(self, name: &str) -> bool {
        #[cfg(any(test, feature = "broken"))]
        {
            debug_assert!(Self::NAMES.contains(&name), "{name}");
            self.0 == Some(name)
        }
        #[cfg(not(any(test, feature = "broken")))]
        {
            let _ = name;
            false
        }
    }
}

/// For tests of what becomes of a panic: panics at the n-th passage of this place, once, if `GLOBALCHANNEL_PANIC` is
/// `place:n`. Does nothing but in an addon built with the feature `broken`.
///
/// # Panics
/// As said.
#[inline]
pub fn may_panic(place: &str) {
    #[cfg(feature = "broken")]
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
    #[cfg(not(feature = "broken"))]
    let _ = place;
}
