//! Redacts our secrets in what a server says while we log in: some servers repeat what they were sent. The text ends up in
//! errors, in `stats()` and in the log.

use std::sync::Arc;

/// How Redis goes on after the name of a command that it does not know, or that was renamed: with its arguments.
/// They are cut off by length, so that a secret would not be found in them as a whole.
const ARGUMENTS: &str = "with args beginning with";

/// Shorter secrets are not looked for: they occur in many words by chance.
const SHORTEST: usize = 4;

/// Returns the words without the arguments that a server repeats, and only their code if they contain a secret.
pub(super) fn redact<'a>(words: Arc<str>, secrets: impl Iterator<Item = &'a str>) -> Arc<str> {
    let shown = match words.find(ARGUMENTS) {
        Some(end) => words[..end].trim_end_matches([' ', ',']),
        None => &words,
    };
    let secrets: Vec<&str> = secrets.filter(|secret| secret.len() >= SHORTEST).collect();
    let is_clean = |text: &str| !secrets.iter().any(|secret| text.contains(secret));
    if !is_clean(shown) {
        // All of it: what is left around a secret tells its length and its place.
        let code = shown.split(' ').next().filter(|code| is_clean(code));
        return format!("{} (its words are not shown)", code.unwrap_or("an error")).into();
    }
    if shown.len() == words.len() {
        return words;
    }
    format!("{shown} (its arguments are not shown)").into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn arguments_that_a_server_repeats_are_cut_off() {
        for words in [
            "ERR unknown command 'AUTH', with args beginning with: 'secret' ",
            "ERR unknown command `AUTH`, with args beginning with: `sec",
        ] {
            let shown = redact(words.into(), ["secret"].into_iter());
            assert!(shown.starts_with("ERR unknown command"), "{shown}");
            assert!(!shown.contains("sec"), "{shown}");
        }
        let shown = redact("ERR do not send secret".into(), ["secret"].into_iter());
        assert_eq!(&*shown, "ERR (its words are not shown)");
        let usual = "WRONGPASS invalid username-password pair or user is disabled.";
        assert_eq!(&*redact(usual.into(), ["secret"].into_iter()), usual);
    }

    proptest! {
        /// Whatever a server says around it, wherever.
        #[test]
        fn no_secret_is_repeated(before: String, secret in "[a-zA-Z0-9!-~é]{4,40}", after: String) {
            let words = format!("{before}{secret}{after}");
            let shown = redact(words.into(), ["", &secret].into_iter());
            let own = "an error (its words are not shown) (its arguments are not shown)";
            prop_assert!(!shown.contains(&secret) || own.contains(&secret));
        }
    }
}
