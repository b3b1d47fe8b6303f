//! Redacts our secrets from a server's messages during login: some servers repeat what they were sent. The text ends up
//! in errors, in `stats()` and in the log.

use std::sync::Arc;

/// What follows the name of an unknown or renamed command in Redis's message: its arguments. They are truncated, so
/// that a secret would not be found in them as a whole.
const ARGUMENTS: &str = "with args beginning with";

/// Shorter secrets are not searched for, because they occur in many words by chance.
const SHORTEST: usize = 4;

/// Returns the message without the arguments that a server repeats, and only its code if it contains a secret.
pub(super) fn redact<'a>(words: Arc<str>, secrets: impl Iterator<Item = &'a str>) -> Arc<str> {
    let shown = match words.find(ARGUMENTS) {
        Some(end) => words[..end].trim_end_matches([' ', ',']),
        None => &words,
    };
    let secrets: Vec<&str> = secrets.filter(|secret| secret.len() >= SHORTEST).collect();
    let is_clean = |text: &str| !secrets.iter().any(|secret| text.contains(secret));
    if !is_clean(shown) {
        // All of it, because the text around a secret tells its length and position.
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
