//! Tests of shared tasks: wakes, and how a task ends.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::Duration,
};

use futures_util::FutureExt as _;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::*;
use crate::runtime::Runtime;

const DEADLINE: Duration = Duration::from_secs(20);

/// A task that passes numbers on, and panics at 0.
fn passing() -> (Arc<SharedTask>, UnboundedSender<u32>, Receiver<u32>) {
    let (sender, mut numbers) = unbounded_channel();
    let (pass, passed) = channel();
    let run = async move {
        while let Some(number) = numbers.recv().await {
            assert!(number > 0, "on purpose");
            let _ = pass.send(number);
        }
    };
    (SharedTask::new(run.boxed()), sender, passed)
}

/// Borrows it as soon as no other thread polls it, or ends it.
fn borrowed(task: &SharedTask) -> Loan<'_> {
    loop {
        if let Some(loan) = task.borrow() {
            break loan;
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_loan_serves_wakes_itself_or_leaves_them_to_the_runner() {
    let runtime = Runtime::share().expect("a runtime");
    let (task, sender, passed) = passing();
    let runs = Arc::new(AtomicBool::default());
    let ran = runs.clone();
    runtime.spawn(task.runner(move || ran.store(true, SeqCst)));
    sender.send(1).expect("it runs");
    assert_eq!(passed.recv_timeout(DEADLINE), Ok(1));
    let mut loan = borrowed(&task);
    runs.store(false, SeqCst);
    sender.send(2).expect("it runs");
    assert!(is_borrowing());
    loan.poll();
    assert_eq!(passed.try_recv(), Ok(2));
    sender.send(3).expect("it runs");
    assert!(!runs.load(SeqCst), "the runner does not poll meanwhile");
    drop(loan);
    assert!(!is_borrowing());
    assert_eq!(passed.recv_timeout(DEADLINE), Ok(3));
    assert!(runs.load(SeqCst));
}

#[test]
fn what_takes_long_waits_for_the_runner() {
    let runtime = Runtime::share().expect("a runtime");
    let (start, mut started) = unbounded_channel();
    let (pass, passed) = channel();
    let run = async move {
        while started.recv().await.is_some() {
            unborrowed().await;
            let _ = pass.send(is_borrowing());
        }
    };
    let task = SharedTask::new(run.boxed());
    runtime.spawn(task.runner(|| ()));
    for _ in 0..100 {
        let mut loan = loop {
            if let Some(loan) = task.borrow() {
                break loan;
            }
        };
        start.send(()).expect("it runs");
        loan.poll();
        loan.poll();
        assert!(
            passed.try_recv().is_err(),
            "it does not go on within the loan"
        );
        drop(loan);
        assert_eq!(passed.recv_timeout(DEADLINE), Ok(false));
    }
}

#[test]
fn no_wake_is_lost_between_two_threads() {
    let runtime = Runtime::share().expect("a runtime");
    let (task, sender, passed) = passing();
    runtime.spawn(task.runner(|| ()));
    for number in 1..20_000 {
        let early = (number % 5 == 0).then(|| task.borrow()).flatten();
        sender.send(number).expect("it runs");
        drop(early);
        if number % 3 == 0
            && let Some(mut loan) = task.borrow()
        {
            loan.poll();
        }
        assert_eq!(passed.recv_timeout(DEADLINE), Ok(number));
    }
}

#[test]
fn a_task_ends_with_its_runner() {
    let runtime = Runtime::share().expect("a runtime");
    let (task, _sender, passed) = passing();
    runtime.spawn(task.runner(|| ())).abort();
    assert_eq!(
        passed.recv_timeout(DEADLINE),
        Err(RecvTimeoutError::Disconnected)
    );
    borrowed(&task).poll();
}

#[test]
fn a_panic_within_a_loan_ends_the_task_and_its_runner() {
    let runtime = Runtime::share().expect("a runtime");
    let (task, sender, passed) = passing();
    let (ends, ended) = channel();
    let runner = task.runner(|| ());
    runtime.spawn(async move {
        runner.await;
        let _ = ends.send(());
    });
    let mut loan = borrowed(&task);
    sender.send(0).expect("it runs");
    loan.poll();
    assert_eq!(
        passed.recv_timeout(DEADLINE),
        Err(RecvTimeoutError::Disconnected)
    );
    drop(loan);
    assert_eq!(ended.recv_timeout(DEADLINE), Ok(()));
}
