//! Logging in and selecting the database: the first commands on a connection, which must succeed.

use redis::{Pipeline, Value};

use super::{
    Note, RedisManager,
    codec::read,
    handshake::no_redis,
    login::Login,
    server_errors::{connect_error, words},
};
use crate::{command::ReadOp, list::List, manager::ConnectError};

/// Says what a cluster needs for option `db`.
const CLUSTER_DB: &str = "option db: a Redis Cluster has database 0 only; a cluster of Valkey 9 or later has as many as \
                          its cluster-databases says";

impl RedisManager {
    /// Adds the commands to the pipeline.
    pub(super) fn add_first_commands(&self, pipeline: &mut Pipeline, login: &Login) {
        // Also after redis-rs's HELLO, which accepts a password where none is needed; AUTH does not.
        login.authenticate(pipeline);
        // A new connection is at database 0, and some proxies and users have no SELECT.
        if self.options.db != 0 {
            pipeline.cmd("SELECT").arg(self.options.db);
        }
        // Answered by every server that is ready, unless we are not logged in.
        pipeline.add_command(read(ReadOp::Members, &self.options.probe));
    }

    /// Reads the answers, of which `next` is the next one; returns a line for the log.
    pub(super) fn logged_in(
        &self,
        login: &Login,
        mut next: impl FnMut() -> Value,
    ) -> Result<Option<String>, ConnectError> {
        let mut note = None;
        if login.is_some() {
            match next() {
                Value::Okay => {}
                Value::ServerError(error) if login.is_needless(&error) => {
                    let words = words(&error);
                    note = self.once(
                        Note::NeedlessPassword,
                        format!("a password is given, and the server needs none: {words}"),
                    );
                }
                Value::ServerError(error) => return Err(login.refused(&error)),
                _ => return Err(no_redis()),
            }
        }
        if self.options.db != 0 {
            match next() {
                Value::Okay => {}
                Value::ServerError(error) => {
                    return Err(connect_error(&error).map(|words| match self.options.stem {
                        Some(_) => words,
                        // A node of a cluster.
                        None => format!("{words} ({CLUSTER_DB})").into(),
                    }));
                }
                _ => return Err(no_redis()),
            }
        }
        is_ready(&next(), login).map(|()| note)
    }
}

/// Checks the answer to a read: whether we are logged in, and the server is ready. What says that the key is not for us,
/// or on another node, is no fault of the connection.
fn is_ready(reply: &Value, login: &Login) -> Result<(), ConnectError> {
    match reply {
        Value::Array(_) | Value::Set(_) => Ok(()),
        // A list with members, which no channel has.
        Value::BulkString(bytes) if List::from_wire(bytes.clone()).is_some() => Ok(()),
        Value::ServerError(error) => match error.code() {
            "NOPERM" | "WRONGTYPE" | "MOVED" | "ASK" | "CLUSTERDOWN" | "MASTERDOWN" => Ok(()),
            _ => Err(login.refused(error)),
        },
        _ => Err(no_redis()),
    }
}
