//! Which handshake the next attempt to connect makes. Some proxies close the connection on commands that they do not
//! know, or never answer them: after such attempts one is made with fewer commands.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// After this many attempts in a row without an answer to HELLO, one is made without it.
const LOST_HELLOS: u32 = 2;

/// After this many attempts in a row that the server closed, one is made with the commands of 0.0.7 only.
const CLOSED: u32 = 3;

/// What a handshake sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Handshake {
    /// Everything, in RESP3.
    Resp3,
    /// No HELLO.
    Resp2,
    /// Only what every proxy knows: see [`super::handshake`].
    Bare,
}

/// The attempts in a row that ended in the handshake. Those that did not reach the server do not count.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    lost: AtomicU32,
    /// Whether a handshake with all commands was answered once. From then on a connection that is closed in a handshake
    /// is taken for a fault that passes: without `CLIENT ID` the connection before could not be ended.
    whole: AtomicBool,
}

impl Attempts {
    /// Chooses the handshake of the next attempt; `resp3` is whether HELLO is wanted.
    pub(super) fn next(&self, resp3: bool) -> Handshake {
        let next = match self.lost.load(Ordering::Relaxed) {
            CLOSED.. => Handshake::Bare,
            LOST_HELLOS.. if resp3 => Handshake::Resp2,
            _ if resp3 => return Handshake::Resp3,
            _ => return Handshake::Resp2,
        };
        // For one attempt only: a server that only hung, or was starting, answers the next HELLO. Reset before the
        // attempt, because it may be given up.
        self.answered();
        next
    }

    /// Notes that HELLO is being sent; the attempt may be given up.
    pub(super) fn sends_hello(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that the server has closed the connection in a handshake in RESP2. If HELLO is wanted, those with HELLO
    /// came before it.
    pub(super) fn closed(&self, resp3: bool) {
        if self.whole.load(Ordering::Relaxed) {
            return;
        }
        if resp3 {
            self.lost.store(CLOSED, Ordering::Relaxed);
        } else {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes that the server has answered, or that the failure was about something else.
    pub(super) fn answered(&self) {
        self.lost.store(0, Ordering::Relaxed);
    }

    /// Notes that the server has answered this handshake.
    pub(super) fn done(&self, handshake: Handshake) {
        self.answered();
        if handshake != Handshake::Bare {
            self.whole.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Handshake::*, *};

    /// The handshakes of so many attempts with a server that closes the connection in each of them.
    fn closing(resp3: bool, count: usize) -> Vec<Handshake> {
        let attempts = Attempts::default();
        let attempt = |_| {
            let next = attempts.next(resp3);
            match next {
                Resp3 => attempts.sends_hello(),
                Resp2 => attempts.closed(resp3),
                Bare => {}
            }
            next
        };
        (0..count).map(attempt).collect()
    }

    #[test]
    fn a_server_that_closes_connections_is_asked_less_and_then_everything_again() {
        let expected = [Resp3, Resp3, Resp2, Bare, Resp3, Resp3, Resp2, Bare];
        assert_eq!(closing(true, 8), expected);
        let expected = [Resp2, Resp2, Resp2, Bare, Resp2, Resp2, Resp2, Bare];
        assert_eq!(closing(false, 8), expected);
    }

    #[test]
    fn one_that_has_answered_all_commands_once_is_never_asked_less_than_without_hello() {
        let attempts = Attempts::default();
        attempts.done(Resp3);
        let attempt = |_| {
            let next = attempts.next(true);
            match next {
                Resp3 => attempts.sends_hello(),
                _ => attempts.closed(true),
            }
            next
        };
        let all: Vec<_> = (0..6).map(attempt).collect();
        assert_eq!(all, [Resp3, Resp3, Resp2, Resp3, Resp3, Resp2]);
    }

    #[test]
    fn one_that_hangs_is_asked_for_everything_as_soon_as_it_answers() {
        let attempts = Attempts::default();
        for _ in 0..2 {
            assert_eq!(attempts.next(true), Resp3);
            attempts.sends_hello();
        }
        // Given up too, and not closed.
        assert_eq!(attempts.next(true), Resp2);
        assert_eq!(attempts.next(true), Resp3);
        attempts.sends_hello();
        attempts.answered();
        for _ in 0..2 {
            assert_eq!(attempts.next(true), Resp3);
            attempts.sends_hello();
        }
    }
}
