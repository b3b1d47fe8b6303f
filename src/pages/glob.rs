//! Redis's patterns (`stringmatchlen` in its `util.c`): `*`, `?`, `[a-z]`, `[^a]` and `\`. A store without a server has
//! them too, and a name is compared as a name, not as a part of a key.

/// Returns whether a text matches a pattern, byte by byte. In the length of the pattern and of the text its time is the
/// product of both at most: only the last `*` is tried again.
pub(super) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // After the last `*`, and the text that it has to match at least.
    let mut again = None;
    loop {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            again = Some((p, t));
            continue;
        }
        match (one(pattern, p), text.get(t)) {
            (None, None) => return true,
            (Some((next, class)), Some(&byte)) if class.has(byte) => {
                p = next;
                t += 1;
            }
            _ => match again {
                Some((begin, at)) if at < text.len() => {
                    again = Some((begin, at + 1));
                    (p, t) = (begin, at + 1);
                }
                _ => return false,
            },
        }
    }
}

/// Returns whether what is appended to a pattern is not taken in by a class or a backslash at its end.
pub(super) fn is_closed(pattern: &[u8]) -> bool {
    let mut p = 0;
    while let Some((next, class)) = one(pattern, p) {
        if !class.closed {
            return false;
        }
        p = next;
    }
    true
}

/// Returns whether all servers understand a pattern alike. In a range whose ends are not ASCII they do not: bytes are signed
/// on x86, and unsigned on most ARM systems.
pub(super) fn is_portable(pattern: &[u8]) -> bool {
    let mut p = 0;
    while let Some((next, class)) = one(pattern, p) {
        if let Kind::Set(set, _) = class.kind
            && set.contains(&b'-')
            && !set.is_ascii()
        {
            return false;
        }
        p = next;
    }
    true
}

/// Returns where the stars of a pattern are that are not in a class or escaped.
pub(super) fn stars(pattern: &[u8]) -> Vec<usize> {
    let (mut p, mut stars) = (0, Vec::new());
    while let Some((next, _)) = one(pattern, p) {
        if pattern.get(p) == Some(&b'*') {
            stars.push(p);
        }
        p = next;
    }
    stars
}

/// What one byte of the text is compared with.
struct Class<'a> {
    kind: Kind<'a>,
    closed: bool,
}

enum Kind<'a> {
    Any,
    Byte(u8),
    /// The inside of brackets, and whether the byte must not be in it.
    Set(&'a [u8], bool),
}

/// Returns the element of the pattern at `p`, and where the next one begins.
fn one(pattern: &[u8], p: usize) -> Option<(usize, Class<'_>)> {
    let class = |next, kind, closed| Some((next, Class { kind, closed }));
    match (*pattern.get(p)?, pattern.get(p + 1)) {
        (b'?', _) => class(p + 1, Kind::Any, true),
        (b'\\', Some(&byte)) => class(p + 2, Kind::Byte(byte), true),
        (b'\\', None) => class(p + 1, Kind::Byte(b'\\'), false),
        (b'[', next) => {
            let not = next == Some(&b'^');
            let begin = p + 1 + usize::from(not);
            let mut end = begin;
            // As in Redis, a `]` ends the class wherever it is, but in an escape or as the end of a range.
            while let Some(&byte) = pattern.get(end) {
                match byte {
                    b']' => return class(end + 1, Kind::Set(&pattern[begin..end], not), true),
                    b'\\' if end + 1 < pattern.len() => end += 2,
                    _ if end + 2 < pattern.len() && pattern[end + 1] == b'-' => end += 3,
                    _ => end += 1,
                }
            }
            class(pattern.len(), Kind::Set(&pattern[begin..], not), false)
        }
        (byte, _) => class(p + 1, Kind::Byte(byte), true),
    }
}

impl Class<'_> {
    fn has(&self, byte: u8) -> bool {
        match self.kind {
            Kind::Any => true,
            Kind::Byte(own) => own == byte,
            Kind::Set(set, not) => is_in(set, byte) != not,
        }
    }
}

fn is_in(mut set: &[u8], byte: u8) -> bool {
    loop {
        match set {
            [] => return false,
            [b'\\', own, rest @ ..] => {
                if *own == byte {
                    return true;
                }
                set = rest;
            }
            [from, b'-', to, rest @ ..] => {
                // Signed, as in Redis where C's `char` is.
                let (from, to) = (from.cast_signed(), to.cast_signed());
                if (from.min(to)..=from.max(to)).contains(&byte.cast_signed()) {
                    return true;
                }
                set = rest;
            }
            [own, rest @ ..] => {
                if *own == byte {
                    return true;
                }
                set = rest;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_redis() {
        let table: &[(&str, &str, bool)] = &[
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abbcd", false),
            ("*a*b*", "xxaxxbxx", true),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h[ae]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[^e]llo", "hallo", true),
            ("[a-c]", "b", true),
            ("[c-a]", "b", true),
            ("[a-c]", "d", false),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("[\\]]", "]", true),
            ("a\\", "a\\", true),
            ("[abc", "b", true),
            ("[]", "a", false),
            ("[^]", "a", true),
            // The range is from the second byte of `ü`, which is negative.
            ("[ü-c]", "a", true),
            ("[ü-c]", "d", false),
            ("[^ü-c]", "a", false),
        ];
        for &(pattern, text, is) in table {
            let does = matches(pattern.as_bytes(), text.as_bytes());
            assert_eq!(does, is, "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_with_many_stars_takes_no_time() {
        assert!(!matches(&b"a*".repeat(50), &b"a".repeat(49)));
        assert!(!matches(
            &[&b"*a".repeat(200)[..], b"b"].concat(),
            &b"a".repeat(5000)
        ));
    }

    #[test]
    fn a_range_from_a_byte_that_is_not_ascii_is_not_portable() {
        for (pattern, is) in [
            ("ü[a-c]-", true),
            ("[ü]", true),
            ("a*[ü-c]", false),
            ("[a-ü", false),
        ] {
            assert_eq!(is_portable(pattern.as_bytes()), is, "{pattern}");
        }
    }

    #[test]
    fn what_follows_an_open_pattern_is_a_part_of_it() {
        for (pattern, is) in [
            ("a*[b]", true),
            ("a\\", false),
            ("[a", false),
            ("[a\\]", false),
        ] {
            assert_eq!(is_closed(pattern.as_bytes()), is, "{pattern}");
        }
    }
}
