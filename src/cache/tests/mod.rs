//! The cache's rules: every interleaving of small cases ([`model`]), random ones of larger cases
//! ([`random`]), and that each rule, when it is broken, is caught by them ([`rules`]). The same rules on
//! the wire, through the public interface: `__test__/cache`.

mod model;
mod overlap;
mod random;
mod rules;
mod shared;
mod world;
