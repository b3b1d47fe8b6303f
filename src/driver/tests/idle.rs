//! Connections that are closed while nothing is in flight: no error for the log, unless it is an outage.

use std::time::Duration;

use tokio::time::sleep;

use super::{MS, bench::Bench, limits};
use crate::{
    app::Level,
    command::Reply,
    driver::Event,
    scripted_store::{Dial, Fate, Store, add},
};

/// The lines so far, each with whether it is about a fault.
fn lines(bench: &mut Bench) -> Vec<(bool, String)> {
    let mut lines = Vec::new();
    while let Ok(event) = bench.events().try_recv() {
        match event {
            Event::Log(line) => lines.push((true, line)),
            Event::Note(Level::Info, line) => lines.push((false, line)),
            _ => {}
        }
    }
    lines
}

fn information(text: &str) -> (bool, String) {
    let line = format!("connected again to the test store: the idle connection was lost ({text}");
    (false, line)
}

fn fault(text: &str) -> (bool, String) {
    (true, text.to_owned())
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_that_is_closed_is_one_line_of_information_and_many_are_summed_up() {
    let minute = Duration::from_secs(60);
    // For two hours, once a minute.
    let store = Store::new(vec![Dial::Closes(minute); 120]);
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    sleep(minute + 200 * MS).await;
    assert_eq!(lines(&mut bench), [information("closed by the store)")]);
    sleep(5 * minute).await;
    assert_eq!(lines(&mut bench), []);
    sleep(6 * minute).await;
    let summed = information("closed by the store), 10 times in 10 minutes");
    assert_eq!(lines(&mut bench), [summed]);
    sleep(100 * minute).await;
    let later = lines(&mut bench);
    assert!((9..=10).contains(&later.len()), "{later:?}");
    assert!(later.iter().all(|(fault, _)| !fault), "{later:?}");
}

#[tokio::test(start_paused = true)]
async fn where_the_next_attempt_fails_it_is_an_outage() {
    let closes = Dial::Closes(Duration::from_secs(1));
    let store = Store::new([closes.clone(), Dial::Down, closes]);
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    sleep(1900 * MS).await;
    let outage = [
        fault("lost the connection to the test store: closed by the store"),
        fault("cannot connect to the test store: down"),
        fault("connected again to the test store"),
    ];
    assert_eq!(lines(&mut bench), outage);
    sleep(2000 * MS).await;
    assert_eq!(lines(&mut bench), [information("closed by the store)")]);
}

#[tokio::test(start_paused = true)]
async fn with_a_call_in_flight_it_is_a_fault() {
    let store = Store::new([Dial::Up(vec![Fate::Breaks(0)], true)]);
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    bench.call(0, &add("k", "a"));
    loop {
        match bench.events().recv().await {
            Some(Event::Log(line)) => assert!(line.contains("broken") || line.contains("again")),
            Some(Event::Answer(_, reply)) => break assert_eq!(reply, Ok(Reply::Changed(1))),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_comes_before_it_is_replaced_is_done() {
    let store = Store::new([Dial::Closes(Duration::from_secs(1))]);
    let mut bench = Bench::start(&store, limits());
    bench.started().await;
    sleep(1001 * MS).await;
    bench.call(0, &add("k", "a"));
    assert_eq!(bench.answer().await, (0, Ok(Reply::Done)));
}
