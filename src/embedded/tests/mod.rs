//! The embedded store through its manager and connections, in folders of their own; processes are for the
//! tests from Node.

mod events;
mod growth;
mod heavy;
mod histories;
mod opening;
mod rules;
mod trust;
mod world;
