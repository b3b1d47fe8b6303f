//! What the core asks of the app that uses it: to call the functions among its options, and to write lines to its log.
//! [`App`] is the app as the binding implements it; [`AppHandle`] is how the core reaches it. Without an app, as on the
//! command line, no option is a function and nothing is logged.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::{sync::oneshot, time::timeout};

use crate::{manager::ConnectError, options::Raw};

/// The time in which a function must answer. An attempt to connect has `connectTimeout` besides.
const LIMIT: Duration = Duration::from_secs(10);

/// The number of secrets that are remembered, so that they can be removed from a server's messages: enough for the
/// nodes of a cluster that each got their own.
const SECRETS: usize = 64;

/// The maximum number of different lines that [`AppHandle::log_once`] writes.
const LINES: usize = 32;

/// The maximum number of characters of what a function threw that an error shows.
const LONGEST: usize = 300;

/// The name under which [`App::ask`] returns the CAs that the platform brings with it: texts in PEM.
pub const PLATFORM_CAS: &str = "the platform's CAs";

/// A question to a function of the app.
#[derive(Debug)]
pub struct Question {
    /// The option that is the function, or [`PLATFORM_CAS`].
    pub option: &'static str,
    /// Its argument, if it takes one.
    pub argument: Option<String>,
    /// Takes the answer, or the message of what the function threw. Dropping it is an answer too.
    pub answer: oneshot::Sender<Result<Raw, String>>,
}

/// The level of a line for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Something that the operator may want to know.
    Info,
    /// Something that may become a problem.
    Warn,
}

/// The app.
pub trait App: Send + Sync {
    /// Has the function called, on another thread. Must not block.
    fn ask(&self, question: Question);

    /// Writes a line to the log.
    fn log(&self, level: Level, line: String);
}

/// The app as the core sees it; cheap to clone. It does not keep the app alive.
#[derive(Clone, Default)]
pub struct AppHandle {
    app: Option<Weak<dyn App>>,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    /// The option whose function has not answered the last question yet.
    asked: Option<&'static str>,
    /// The last secrets that functions returned.
    secrets: VecDeque<String>,
    /// The lines that are in the log already.
    logged: Vec<String>,
}

impl fmt::Debug for AppHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppHandle").finish_non_exhaustive()
    }
}

/// Equal only to its own clones.
impl PartialEq for AppHandle {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared) || (self.app.is_none() && other.app.is_none())
    }
}

impl Eq for AppHandle {}

impl AppHandle {
    /// Makes a handle of an app.
    #[must_use]
    pub fn new(app: Weak<dyn App>) -> Self {
        Self {
            app: Some(app),
            shared: Arc::default(),
        }
    }

    /// Calls the function that is option `option`. The error names the option, and counts as temporary, because the
    /// function may answer the next time.
    pub(crate) async fn call(
        &self,
        option: &'static str,
        argument: Option<String>,
    ) -> Result<Raw, ConnectError> {
        let failed = |words: &str| {
            let words = format!("option {option}: {words}");
            ConnectError::Unreachable(words.into())
        };
        let (answer, answered) = oneshot::channel();
        {
            let Some(app) = self.app.as_ref().and_then(Weak::upgrade) else {
                return Err(failed("there is no app to call the function"));
            };
            // Stays if this future is dropped: see `unanswered`.
            self.shared().asked = Some(option);
            app.ask(Question {
                option,
                argument,
                answer,
            });
        }
        let answered = timeout(LIMIT, answered).await;
        self.shared().asked = None;
        match answered {
            Ok(Ok(Ok(value))) => Ok(value),
            Ok(Ok(Err(words))) => {
                let words: String = words.chars().take(LONGEST).collect();
                Err(failed(&format!("the function failed: {words}")))
            }
            Ok(Err(_)) => Err(failed("the function was not called: the service has ended")),
            Err(_) => {
                let limit = LIMIT.as_millis();
                Err(failed(&format!(
                    "the function did not answer within {limit} ms"
                )))
            }
        }
    }

    /// Returns which function an attempt to connect was waiting for when it was given up, if it was.
    pub(crate) fn unanswered(&self) -> Option<&'static str> {
        self.shared().asked
    }

    /// Remembers a secret that a function returned.
    pub(crate) fn remember(&self, secret: &str) {
        let secrets = &mut self.shared().secrets;
        if !secrets.iter().any(|known| known == secret) {
            if secrets.len() == SECRETS {
                secrets.pop_front();
            }
            secrets.push_back(secret.to_owned());
        }
    }

    /// Returns the last secrets that functions returned.
    pub(crate) fn secrets(&self) -> Vec<String> {
        self.shared().secrets.iter().cloned().collect()
    }

    /// Writes a line to the log.
    pub(crate) fn log(&self, level: Level, line: String) {
        if let Some(app) = self.app.as_ref().and_then(Weak::upgrade) {
            app.log(level, line);
        }
    }

    /// Writes a line to the log, once.
    pub(crate) fn log_once(&self, level: Level, line: String) {
        let logged = &mut self.shared().logged;
        if logged.len() < LINES && !logged.contains(&line) {
            logged.push(line.clone());
            self.log(level, line);
        }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An app whose functions answer as scripted.
    pub(crate) struct Scripted<F>(pub(crate) F);

    impl<F: Fn(&'static str, Option<String>) -> Option<Result<Raw, String>> + Send + Sync> App
        for Scripted<F>
    {
        fn ask(&self, question: Question) {
            if let Some(answer) = (self.0)(question.option, question.argument) {
                let _ = question.answer.send(answer);
            }
        }

        fn log(&self, _: Level, _: String) {}
    }

    /// An app whose functions never answer.
    #[derive(Default)]
    struct Silent(Mutex<Vec<Question>>);

    impl App for Silent {
        fn ask(&self, question: Question) {
            let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            asked.push(question);
        }

        fn log(&self, _: Level, _: String) {}
    }

    #[tokio::test]
    async fn what_a_function_returns_or_throws_is_the_answer() {
        let app: Arc<dyn App> = Arc::new(Scripted(|option, argument: Option<String>| {
            Some(match option {
                "natMap" => Ok(Raw::Text(argument.unwrap_or_default())),
                _ => Err("no token".repeat(100)),
            })
        }));
        let handle = AppHandle::new(Arc::downgrade(&app));
        let answer = handle.call("natMap", Some("h:1".to_owned())).await;
        assert_eq!(answer, Ok(Raw::Text("h:1".to_owned())));
        let error = handle.call("password", None).await.unwrap_err();
        let words = error.words();
        assert!(words.starts_with("option password: the function failed: no token"));
        assert!(words.len() < 2 * LONGEST, "{words}");
        assert!(matches!(error, ConnectError::Unreachable(_)));
        drop(app);
        let error = handle.call("password", None).await.unwrap_err();
        assert!(error.words().contains("no app"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_function_that_does_not_answer_is_named() {
        let app: Arc<dyn App> = Arc::new(Silent::default());
        let handle = AppHandle::new(Arc::downgrade(&app));
        let given_up = timeout(Duration::from_secs(1), handle.call("username", None)).await;
        assert!(given_up.is_err());
        assert_eq!(handle.unanswered(), Some("username"));
        let error = handle.call("password", None).await.unwrap_err();
        let words = "option password: the function did not answer within 10000 ms";
        assert_eq!(&**error.words(), words);
        assert_eq!(handle.unanswered(), None);
    }

    #[test]
    fn the_last_secrets_are_remembered() {
        let handle = AppHandle::default();
        for n in 0..SECRETS + 2 {
            handle.remember(&format!("secret {n}"));
        }
        handle.remember("secret 5");
        let secrets = handle.secrets();
        assert_eq!(secrets.len(), SECRETS);
        assert_eq!(secrets.first().map(String::as_str), Some("secret 2"));
    }
}
