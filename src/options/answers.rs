//! Checks what the functions among the options return ([`crate::app`]). An error names the option and what is accepted,
//! and shows nothing of a secret.

use std::time::{Duration, SystemTime};

use super::{
    addresses,
    raw::{Raw, show_name},
};
use crate::{error::Result, redis_manager::Address};

const CREDENTIALS: &str = "a string or {username, password, expiresAt}";

/// What a function returned as a login.
#[derive(Default)]
pub(crate) struct Credentials {
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    /// Until when the password is valid.
    pub(crate) expires: Option<SystemTime>,
}

/// Makes the error for an answer that is not accepted.
fn wrong(option: &str, answer: &str, accepted: &str) -> String {
    format!("option {option}: the function returned {answer}; accepted is {accepted}")
}

/// Reads the answer of a function for a user's name; `None` means the default user.
pub(crate) fn user(option: &str, answer: Raw) -> std::result::Result<Option<String>, String> {
    match answer {
        Raw::Absent => Ok(None),
        Raw::Text(name) => Ok((!name.is_empty()).then_some(name)),
        // Not shown: it may be a password in the wrong place.
        _ => Err(wrong(option, "a value of another type", "a string")),
    }
}

/// Reads the answer of a function for a password.
pub(crate) fn credentials(
    option: &str,
    answer: Raw,
    now: SystemTime,
) -> std::result::Result<Credentials, String> {
    let wrong = |answer: &str| Err(wrong(option, answer, CREDENTIALS));
    let fields = match answer {
        Raw::Record(fields) => fields,
        password => {
            return match secret(password) {
                Ok(Some(password)) => Ok(Credentials {
                    password: Some(password),
                    ..Credentials::default()
                }),
                Ok(None) => wrong("nothing"),
                Err(()) => wrong("a value of another type"),
            };
        }
    };
    let mut read = Credentials::default();
    for (name, value) in fields {
        match (name.as_str(), value) {
            (_, Raw::Absent) => {}
            ("username", Raw::Text(username)) => {
                read.username = (!username.is_empty()).then_some(username);
            }
            ("password", value) => match secret(value) {
                Ok(password) => read.password = password,
                Err(()) => return wrong("a password of another type"),
            },
            ("expiresAt", Raw::Number(ms)) if ms.is_finite() && ms >= 0.0 => {
                // What is beyond the range of a time never expires.
                let since = Duration::try_from_secs_f64(ms / 1000.0).ok();
                let expires = since.and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since));
                if expires.is_some_and(|expires| expires <= now) {
                    return Err(format!(
                        "option {option}: the function returned an expiresAt that is past; accepted are milliseconds \
                         since 1970, or a Date"
                    ));
                }
                read.expires = expires;
            }
            ("username" | "expiresAt", _) => {
                return wrong(&format!("a value of another type as {name}"));
            }
            (name, _) => return wrong(&format!("an unknown field {}", show_name(name))),
        }
    }
    if read.password.is_none() {
        return wrong("no password");
    }
    Ok(read)
}

fn secret(raw: Raw) -> std::result::Result<Option<String>, ()> {
    match raw {
        Raw::Absent => Ok(None),
        Raw::Text(text) => Ok((!text.is_empty()).then_some(text)),
        Raw::Number(number) => Ok(Some(number.to_string())),
        _ => Err(()),
    }
}

/// Reads the answer of function `natMap` for an announced address, which has the port that is used if the answer has
/// none; `None` means that the address is used as it is.
pub(crate) fn announced(option: &str, answer: &Raw, port: u16) -> Result<Option<Address>> {
    match answer {
        Raw::Absent => Ok(None),
        answer => {
            let name = format!("{option}: what the function returned");
            addresses::address(&name, answer, port).map(Some)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Raw {
        Raw::Text(value.to_owned())
    }

    fn record(fields: &[(&str, Raw)]) -> Raw {
        let named = |(name, value): &(&str, Raw)| ((*name).to_owned(), value.clone());
        Raw::Record(fields.iter().map(named).collect())
    }

    fn read(answer: Raw) -> std::result::Result<Credentials, String> {
        credentials(
            "password",
            answer,
            SystemTime::UNIX_EPOCH + Duration::from_secs(100),
        )
    }

    #[test]
    fn a_login_is_a_text_or_a_record() {
        let login = read(text("hush")).expect("a password");
        assert_eq!(
            (login.username, login.password.as_deref()),
            (None, Some("hush"))
        );
        let fields = [
            ("username", text("joe")),
            ("password", Raw::Number(12.0)),
            ("expiresAt", Raw::Number(200_500.0)),
        ];
        let login = read(record(&fields)).expect("a login");
        assert_eq!(login.username.as_deref(), Some("joe"));
        assert_eq!(login.password.as_deref(), Some("12"));
        let expires = SystemTime::UNIX_EPOCH + Duration::from_millis(200_500);
        assert_eq!(login.expires, Some(expires));
        let fields = [
            ("username", Raw::Absent),
            ("password", text("hush")),
            ("expiresAt", Raw::Absent),
        ];
        let login = read(record(&fields)).expect("a login");
        assert!(login.username.is_none() && login.expires.is_none());
        let fields = [
            ("password", text("hush")),
            ("expiresAt", Raw::Number(1e300)),
        ];
        assert!(read(record(&fields)).expect("a login").expires.is_none());
    }

    #[test]
    fn another_answer_is_an_error_that_shows_no_secret() {
        let password = ("password", text("hush"));
        for (answer, words) in [
            (Raw::Absent, "returned nothing"),
            (text(""), "returned nothing"),
            (Raw::Bool(true), "returned a value of another type"),
            (
                Raw::Bytes(b"hush".to_vec()),
                "returned a value of another type",
            ),
            (record(&[]), "returned no password"),
            (
                record(&[("password", Raw::Bool(true))]),
                "a password of another type",
            ),
            (
                record(&[password.clone(), ("token", text("hush"))]),
                "field \"token\"",
            ),
            (
                record(&[password.clone(), ("username", Raw::Number(1.0))]),
                "another type as username",
            ),
            (
                record(&[password.clone(), ("expiresAt", text("soon"))]),
                "another type as expiresAt",
            ),
            (
                record(&[password.clone(), ("expiresAt", Raw::Number(f64::NAN))]),
                "another type as expiresAt",
            ),
            // Seconds in the place of milliseconds.
            (
                record(&[password.clone(), ("expiresAt", Raw::Number(200.0))]),
                "an expiresAt that is past",
            ),
        ] {
            let error = read(answer).map(drop).unwrap_err();
            assert!(error.contains(words), "{error}");
            assert!(
                error.starts_with("option password: the function returned "),
                "{error}"
            );
            assert!(!error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn a_user_is_a_text_or_nothing() {
        assert_eq!(user("username", text("joe")), Ok(Some("joe".to_owned())));
        assert_eq!(user("username", Raw::Absent), Ok(None));
        let error = user("username", record(&[("password", text("hush"))])).unwrap_err();
        assert!(
            error.starts_with("option username: the function returned "),
            "{error}"
        );
        assert!(!error.contains("hush"), "{error}");
    }

    #[test]
    fn an_address_is_in_one_of_the_usual_forms_or_as_announced() {
        let read = |answer: Raw| announced("natMap", &answer, 7000);
        let tcp = |host: &str, port| Some(Address::Tcp(host.to_owned(), port));
        assert_eq!(read(Raw::Absent), Ok(None));
        assert_eq!(read(text("h:1")), Ok(tcp("h", 1)));
        assert_eq!(read(text("h")), Ok(tcp("h", 7000)));
        let fields = [("host", text("::1")), ("port", Raw::Number(2.0))];
        assert_eq!(read(record(&fields)), Ok(tcp("::1", 2)));
        for answer in [
            Raw::Bool(false),
            text("h:x"),
            record(&[("hots", text("h"))]),
        ] {
            let error = read(answer).unwrap_err().to_string();
            assert!(
                error.starts_with("option natMap: what the function returned"),
                "{error}"
            );
        }
    }
}
