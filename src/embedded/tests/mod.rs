//! The embedded store through its manager and links, in folders of their own; processes are for the
//! tests from Node.

mod histories;
mod opening;
mod world;
