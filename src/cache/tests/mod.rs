//! The cache's rules: every interleaving of small cases ([`model`]), random ones of large cases
//! ([`random`]), the smallest schedules ([`schedules`]); and that each rule, when broken, is
//! caught.

mod model;
mod random;
mod schedules;
mod world;
