//! Finds the reads of members among the commands that are sent, so that it is known which replies are lists. Sees each byte
//! once, in whatever parts the socket takes them.

use std::collections::VecDeque;

/// The spelling that marks a read whose reply is to be written as a list. Redis takes it in any case, and so
/// [`super::EXACT`] is the same command without the mark.
const MARKED: &[u8] = b"SMEMBERS";

/// The longest line with a number: type, sign, digits, CRLF.
pub(super) const LONGEST_LINE: usize = 23;

/// The maximum number of marked commands without a reply: with more, the replies are not understood, and nothing is marked any more.
const MOST: usize = 1 << 20;

/// The commands that were sent.
#[derive(Debug, Default)]
pub(super) struct Requests {
    sent: u64,
    /// The numbers of marked commands without a reply.
    marked: VecDeque<u64>,
    /// The arguments of the current command that have not come yet.
    args: u64,
    /// Whether the next of them is its name.
    name_next: bool,
    /// The bytes of the current argument that have not come yet, with its CRLF.
    skip: u64,
    /// A line or a name that was cut.
    cut: Vec<u8>,
    /// Whether these are not commands as redis-rs writes them; then nothing is marked any more.
    lost: bool,
}

impl Requests {
    /// Returns the number of commands sent.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// Returns whether this command is marked, counted from 0.
    pub(super) fn is_marked(&self, number: u64) -> bool {
        self.marked.front() == Some(&number)
    }

    /// Notes that a command has its reply.
    pub(super) fn answered(&mut self, number: u64) {
        if self.is_marked(number) {
            self.marked.pop_front();
        }
    }

    /// Takes bytes that were sent.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        while !self.lost && !self.cut.is_empty() && !bytes.is_empty() {
            self.cut.push(bytes[0]);
            bytes = &bytes[1..];
            let whole = std::mem::take(&mut self.cut);
            let taken = self.take(&whole);
            self.cut.extend_from_slice(&whole[taken..]);
        }
        if self.lost {
            return;
        }
        let taken = self.take(bytes);
        self.cut.extend_from_slice(&bytes[taken..]);
    }

    /// Takes what is whole; returns how many bytes that were.
    fn take(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            if self.skip > 0 {
                let step = (bytes.len() - at).min(usize::try_from(self.skip).unwrap_or(usize::MAX));
                self.skip -= step as u64;
                at += step;
                continue;
            }
            let rest = &bytes[at..];
            let kind = if self.args == 0 { b'*' } else { b'$' };
            let (number, line) = match number(rest) {
                Line::Number(number, line) if rest[0] == kind => (number, line),
                Line::Cut => return at,
                _ => {
                    self.lose();
                    return at;
                }
            };
            if self.args == 0 {
                self.args = number;
                self.name_next = true;
                // A command without a name is none.
                if number == 0 {
                    self.lose();
                }
            } else {
                if std::mem::take(&mut self.name_next) {
                    if number == MARKED.len() as u64 {
                        let Some(name) = rest.get(line..line + MARKED.len()) else {
                            self.name_next = true;
                            return at;
                        };
                        if name == MARKED {
                            self.mark();
                        }
                    }
                    self.sent += 1;
                }
                self.args -= 1;
                self.skip = number.saturating_add(2);
            }
            at += line;
        }
        at
    }

    fn mark(&mut self) {
        if self.marked.len() < MOST {
            self.marked.push_back(self.sent);
        } else {
            self.lose();
        }
    }

    fn lose(&mut self) {
        self.lost = true;
        self.marked.clear();
    }
}

/// What a line with a number is.
pub(super) enum Line {
    /// The number, and the length of the line.
    Number(u64, usize),
    /// The end has not come yet.
    Cut,
    Other,
}

/// Reads a line of a type, digits and CRLF, without superfluous zeros.
pub(super) fn number(bytes: &[u8]) -> Line {
    let mut number = 0_u64;
    let mut at = 1;
    loop {
        match bytes.get(at) {
            Some(digit @ b'0'..=b'9') if at < LONGEST_LINE - 4 => {
                number = number * 10 + u64::from(digit - b'0');
            }
            Some(b'\r') if at > 1 => break,
            None => return Line::Cut,
            _ => return Line::Other,
        }
        at += 1;
    }
    if bytes[1] == b'0' && at > 2 {
        return Line::Other;
    }
    match bytes.get(at + 1) {
        Some(b'\n') => Line::Number(number, at + 2),
        None => Line::Cut,
        _ => Line::Other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use redis::{Cmd, Pipeline};

    use super::*;

    fn command(args: &[Vec<u8>]) -> Cmd {
        let mut command = Cmd::new();
        for arg in args {
            command.arg(arg.as_slice());
        }
        command
    }

    proptest! {
        #[test]
        fn the_reads_are_found_however_the_bytes_are_cut(
            names in vec("(SMEMBERS|smembers|SADD|SCARD12|S?)", 0..12),
            args in vec(vec(any::<u8>(), 0..30), 0..4),
            parts in vec(1..40_usize, 1..10),
        ) {
            let mut pipeline = Pipeline::new();
            for name in &names {
                pipeline.add_command(command(&[&[name.clone().into_bytes()], args.as_slice()].concat()));
            }
            let bytes = pipeline.get_packed_pipeline();
            let mut requests = Requests::default();
            let mut rest = bytes.as_slice();
            for part in parts.iter().cycle() {
                let (now, later) = rest.split_at((*part).min(rest.len()));
                requests.feed(now);
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(requests.sent(), names.len() as u64);
            for (number, name) in (0..).zip(&names) {
                prop_assert_eq!(requests.is_marked(number), name == "SMEMBERS");
                requests.answered(number);
            }
        }
    }
}
