//! Goes through the replies as they arrive. A marked one that is a list of strings is written as a list where it lies; all
//! other bytes are passed on as they came, and only counted, so that each reply is known by its number.
//!
//! What this reader does not know is not its to judge: it passes on everything from there, and redis-rs's parser, which
//! sees each byte that is not part of a list, accepts or refuses it.

use super::{
    parts::write_parts,
    requests::{LONGEST_LINE, Line, Requests, number},
    write_string,
};
use crate::{failpoints::fail_point, list::Incoming};

/// The reader of replies.
#[derive(Default)]
pub(super) struct Replies {
    place: Place,
    /// The values of the current reply that have not come yet; none between replies.
    open: u64,
    /// Whether it is a push, which answers no command.
    is_push: bool,
    /// The number of replies so far.
    answered: u64,
    /// The number of pushes so far, which each list is passed on with: a push before it is about a change that it shows.
    pushes: u64,
}

/// What comes next.
#[derive(Default)]
enum Place {
    /// A value.
    #[default]
    Value,
    /// The rest of a line.
    Line,
    /// The rest of a string, with its CRLF.
    Text(u64),
    /// An item of a list: its type and number of items, and the list.
    Item(u8, u64, Incoming),
    /// What this reader does not know.
    Unknown,
}

impl Replies {
    /// Takes bytes that arrived, and adds what is passed on to `out`. Returns how many bytes were taken: the rest is cut.
    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        requests: &mut Requests,
        out: &mut Vec<u8>,
    ) -> usize {
        let mut at = 0;
        // What has been passed on up to here is in `out`.
        let mut passed = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            match &mut self.place {
                Place::Unknown => at = bytes.len(),
                Place::Text(left) => {
                    let step =
                        usize::try_from(*left).map_or(rest.len(), |left| left.min(rest.len()));
                    *left -= step as u64;
                    at += step;
                    if *left == 0 {
                        self.ends(requests);
                    }
                }
                Place::Line => {
                    let Some(end) = line_end(rest) else {
                        // A CR may be the beginning of the end.
                        let cr = usize::from(rest.last() == Some(&b'\r'));
                        at += rest.len() - cr;
                        break;
                    };
                    at += end;
                    self.ends(requests);
                }
                Place::Value => match self.value(rest, requests) {
                    Some(Step::List(kind, items, line)) => {
                        out.extend_from_slice(&bytes[passed..at]);
                        at += line;
                        passed = at;
                        self.place = Place::Item(kind, items, Incoming::default());
                    }
                    Some(Step::Pass(step)) => at += step,
                    None => break,
                },
                Place::Item(_, items, list) => {
                    let (taken, end) = read_items(rest, *items, list);
                    at += taken;
                    passed = at;
                    match end {
                        End::Cut => return at,
                        End::Whole => {
                            self.write_list(out);
                            self.ends(requests);
                        }
                        End::Odd => self.give_back(out),
                    }
                }
            }
        }
        out.extend_from_slice(&bytes[passed..at]);
        at
    }

    /// Passes on a list that is not whole as what has come of it, because nothing else will.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        if matches!(self.place, Place::Item(..)) {
            self.give_back(out);
        }
    }

    /// Looks at the beginning of a value; `None` if it is cut.
    fn value(&mut self, rest: &[u8], requests: &mut Requests) -> Option<Step> {
        let kind = rest[0];
        if matches!(kind, b'+' | b':' | b'-' | b'_' | b',' | b'#' | b'(') {
            self.begins(false);
            self.place = Place::Line;
            return Some(Step::Pass(1));
        }
        let (count, line) = match number(rest) {
            Line::Number(count, line) => (count, line),
            Line::Cut if rest.len() < LONGEST_LINE => return None,
            Line::Other | Line::Cut => match rest {
                // Nil.
                [b'$' | b'*' | b'~', b'-', b'1', b'\r', b'\n', ..] => {
                    self.begins(false);
                    self.ends(requests);
                    return Some(Step::Pass(5));
                }
                [b'$' | b'*' | b'~', b'-'] | [b'$' | b'*' | b'~', b'-', b'1', ..]
                    if rest.len() < 5 =>
                {
                    return None;
                }
                _ => return Some(self.unknown()),
            },
        };
        let items = match kind {
            b'$' | b'=' | b'!' => {
                self.begins(false);
                self.place = Place::Text(count.saturating_add(2));
                return Some(Step::Pass(line));
            }
            b'*' | b'~' => {
                if self.open == 0 && count > 0 && requests.is_marked(self.answered) {
                    self.begins(false);
                    return Some(Step::List(kind, count, line));
                }
                Some(count)
            }
            b'>' => Some(count),
            b'%' => count.checked_mul(2),
            // And what it is about.
            b'|' => count.checked_mul(2).and_then(|items| items.checked_add(1)),
            _ => None,
        };
        self.begins(kind == b'>');
        match items.and_then(|items| self.open.checked_add(items)) {
            Some(open) => self.open = open,
            None => return Some(self.unknown()),
        }
        self.ends(requests);
        Some(Step::Pass(line))
    }

    fn unknown(&mut self) -> Step {
        self.place = Place::Unknown;
        Step::Pass(0)
    }

    /// Begins a value.
    fn begins(&mut self, is_push: bool) {
        if self.open == 0 {
            self.open = 1;
            self.is_push = is_push;
        }
    }

    /// Ends a value, and with the last one of it the reply.
    fn ends(&mut self, requests: &mut Requests) {
        self.place = Place::Value;
        self.open -= 1;
        if self.open == 0 && self.is_push {
            self.pushes += 1;
        }
        // No call waits for a reply without a command.
        if self.open == 0 && !self.is_push && self.answered < requests.sent() {
            requests.answered(self.answered);
            self.answered += 1;
        }
    }

    /// Passes on a list.
    fn write_list(&mut self, out: &mut Vec<u8>) {
        if let Place::Item(_, _, list) = std::mem::take(&mut self.place) {
            write_parts(&list.into_wire(self.place_of_reply()), out);
        }
    }

    /// Returns how many pushes came before the reply.
    fn place_of_reply(&self) -> u64 {
        fail_point!("place-too-late", Some(u64::MAX));
        self.pushes
    }

    /// Passes on a list as it has come so far: its next item is none that we know.
    fn give_back(&mut self, out: &mut Vec<u8>) {
        if let Place::Item(kind, items, list) = std::mem::take(&mut self.place) {
            out.push(kind);
            out.extend_from_slice(format!("{items}\r\n").as_bytes());
            // The list is a value, and its other items are to come.
            self.open = items - list.len() as u64;
            for member in list.into_members() {
                write_string(member.as_bytes(), out);
            }
        }
    }
}

enum Step {
    Pass(usize),
    /// A list begins: its type and number of items, and the length of the line.
    List(u8, u64, usize),
}

/// Why reading items has ended.
enum End {
    /// The next item is cut.
    Cut,
    /// The list is whole.
    Whole,
    /// The next item is no string, or a very long one.
    Odd,
}

/// Reads the items of a list; returns how many bytes that were.
fn read_items(bytes: &[u8], items: u64, list: &mut Incoming) -> (usize, End) {
    let mut at = 0;
    while (list.len() as u64) < items {
        let rest = &bytes[at..];
        if rest.is_empty() {
            return (at, End::Cut);
        }
        let (size, line) = match number(rest) {
            Line::Number(size, line) if rest[0] == b'$' => (size, line),
            Line::Cut if rest[0] == b'$' => return (at, End::Cut),
            _ => return (at, End::Odd),
        };
        let Ok(size) = usize::try_from(size) else {
            return (at, End::Odd);
        };
        if size > Incoming::LONGEST_MEMBER {
            return (at, End::Odd);
        }
        match rest.get(line + size..line + size + 2) {
            Some(b"\r\n") => {}
            Some(_) => return (at, End::Odd),
            None => return (at, End::Cut),
        }
        if !list.member(&rest[line..line + size]) {
            return (at, End::Odd);
        }
        at += line + size + 2;
    }
    (at, End::Whole)
}

/// Returns where the line ends, CRLF included.
fn line_end(bytes: &[u8]) -> Option<usize> {
    let ends = |pair: &[u8]| pair == b"\r\n";
    Some(bytes.windows(2).position(ends)? + 2)
}
