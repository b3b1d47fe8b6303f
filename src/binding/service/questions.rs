//! Questions of the core to functions among the options, such as a password that is a function. The functions are called
//! in `lib/optionFunctions.js`, on the JavaScript thread; a function may take its time, and nothing waits for it here.

use std::collections::BTreeMap;

use napi::Unknown;
use tokio::sync::oneshot;

use crate::{
    app::Question,
    binding::{service::Service, values::options},
    options::Raw,
};

/// The questions that are not answered yet.
#[derive(Default)]
pub struct Questions {
    waiting: BTreeMap<u64, oneshot::Sender<Result<Raw, String>>>,
    next: u64,
}

impl Questions {
    fn add(&mut self, answer: oneshot::Sender<Result<Raw, String>>) -> u64 {
        // Those that the core has given up: their functions may never answer.
        self.waiting.retain(|_, answer| !answer.is_closed());
        self.next += 1;
        self.waiting.insert(self.next, answer);
        self.next
    }

    fn answer(&mut self, token: u64, answer: Result<Raw, String>) {
        // `None` for a function that answers twice, or after the service has ended.
        if let Some(sender) = self.waiting.remove(&token) {
            // Dropped if the core does not wait any more.
            let _ = sender.send(answer);
        }
    }
}

impl Service {
    /// Has a function called. Without a host the question is dropped, which its asker notices.
    pub fn on_question(&self, question: Question) -> napi::Result<()> {
        let host = self.host.borrow().clone();
        let Some(host) = host else { return Ok(()) };
        let Question {
            option,
            argument,
            answer,
        } = question;
        let token = self.questions.borrow_mut().add(answer);
        host.ask(&self.env, token, option, argument)
    }

    /// Takes the answer of a function: what it returned, or the text of what it threw.
    pub fn on_answered(&self, token: u64, failed: bool, value: &Unknown) -> napi::Result<()> {
        // May run getters of the app; what they throw is thrown, and answers the question as a failure.
        let value = options::answer(value)?;
        let answer = match (failed, value) {
            (true, Raw::Text(words)) => Err(words),
            (true, _) => Err("something without a text".to_owned()),
            (false, value) => Ok(value),
        };
        self.questions.borrow_mut().answer(token, answer);
        Ok(())
    }
}
