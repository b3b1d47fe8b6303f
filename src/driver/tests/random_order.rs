//! Random calls on one frontend and on all of them, over connections that break, hang and refuse at random, against a
//! model that executes them one after the other in call order: who may be seen where, and what is left in the end.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use proptest::prelude::*;

use super::{
    MS,
    bench::Bench,
    everywhere::{COUNT, LEAVE, put},
};
use crate::{
    command::{Op, ReadOp, Reply, Value, WriteOp},
    driver::{Event, Limits},
    error::Result,
    scripted_store::{Dial, Fate, Store},
};

const SIDS: [&str; 7] = ["s0", "s1", "h:1", "indexed", "old", "x0", "x1"];
const USERS: [&str; 2] = ["u", "v"];

/// One call; frontends and users by their places.
#[derive(Debug, Clone)]
enum Call {
    Add(usize, usize),
    Remove(usize, usize),
    Read(usize),
    /// On all frontends.
    Leave(usize),
    Count,
    Destroy,
    Clean,
    /// No call: another process adds somebody else on this frontend.
    Other(usize),
    /// No call.
    Pause(u64),
}

fn call() -> impl Strategy<Value = Call> {
    let (sid, user) = (0..SIDS.len(), 0..USERS.len());
    prop_oneof![
        6 => (sid.clone(), user.clone()).prop_map(|(sid, user)| Call::Add(sid, user)),
        2 => (sid.clone(), user.clone()).prop_map(|(sid, user)| Call::Remove(sid, user)),
        4 => sid.clone().prop_map(Call::Read),
        4 => user.prop_map(Call::Leave),
        4 => Just(Call::Count),
        1 => Just(Call::Destroy),
        1 => Just(Call::Clean),
        2 => sid.prop_map(Call::Other),
        4 => (0..30u64).prop_map(Call::Pause),
        1 => (0..700u64).prop_map(Call::Pause),
    ]
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => (0..50u64).prop_map(Fate::Good),
        2 => (0..300u64).prop_map(Fate::Good),
        2 => (0..4usize).prop_map(Fate::Breaks),
        1 => Just(Fate::Hangs),
        1 => Just(Fate::Refuses),
    ]
}

fn dial() -> impl Strategy<Value = Dial> {
    prop_oneof![
        4 => (prop::collection::vec(fate(), 0..10), any::<bool>()).prop_map(|(f, b)| Dial::Up(f, b)),
        1 => Just(Dial::Down),
    ]
}

/// What was asked, what came, and what was there when all was over.
struct Run {
    answers: HashMap<u64, Result<Reply>>,
    store: Arc<Store>,
}

/// Makes the calls as the binding does: the first one about a frontend is marked, and the first one that adds there.
async fn run(calls: &[Call], dials: Vec<Dial>, scan_pause: Duration) -> Run {
    let store = Store::new(dials);
    store.0.lock().unwrap().scan_pause = scan_pause;
    put(&store, "indexed", &USERS, true);
    put(&store, "old", &USERS, false);
    let limits = Limits {
        command_timeout: Some(1000 * MS),
        drain: Duration::from_secs(3600),
        ..Limits::default()
    };
    let mut bench = Bench::start(&store, limits);
    bench.started().await;
    let mut told = [(false, false); SIDS.len()];
    let mut mark = |sid: usize, adds: bool| {
        let (is_told, added) = &mut told[sid];
        let adds = adds && !std::mem::replace(added, adds || *added);
        let is_first = !std::mem::replace(is_told, true);
        (is_first || adds).then_some(adds)
    };
    for (seq, call) in (0..).zip(calls) {
        match *call {
            Call::Add(sid, user) => {
                let (op, mark) = (Op::Write(WriteOp::Add), mark(sid, true));
                bench.on(seq, op, SIDS[sid], &[USERS[user]], mark);
            }
            Call::Remove(sid, user) => {
                bench.on(seq, LEAVE, SIDS[sid], &[USERS[user]], mark(sid, false));
            }
            Call::Read(sid) => {
                let op = Op::Read(ReadOp::Members);
                bench.on(seq, op, SIDS[sid], &[], mark(sid, false));
            }
            Call::Leave(user) => bench.everywhere(seq, LEAVE, &[USERS[user]], &["s0"]),
            Call::Count => bench.everywhere(seq, COUNT, &[], &["s0"]),
            Call::Destroy => bench.destroy(seq, &["h:1"]),
            Call::Clean => bench.clean_under(seq, b"P:"),
            Call::Other(sid) => put(&store, SIDS[sid], &["other"], true),
            Call::Pause(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
        }
    }
    bench.stop();
    let mut answers = HashMap::new();
    loop {
        match bench.event().await {
            Some(Event::Answer(seq, reply)) => {
                assert!(answers.insert(seq, reply).is_none(), "answered twice");
            }
            Some(Event::Stopped) => return Run { answers, store },
            other => panic!("{other:?}"),
        }
    }
}

/// Whether a user may be in a channel on a frontend, and whether he may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct May {
    be_in: bool,
    be_out: bool,
}

impl May {
    const IN: Self = Self {
        be_in: true,
        be_out: false,
    };
    const OUT: Self = Self {
        be_in: false,
        be_out: true,
    };

    fn or(self, other: Self) -> Self {
        Self {
            be_in: self.be_in || other.be_in,
            be_out: self.be_out || other.be_out,
        }
    }

    fn allows(self, is_in: bool) -> bool {
        if is_in { self.be_in } else { self.be_out }
    }
}

type Model = [[May; USERS.len()]; SIDS.len()];

/// Returns what a call makes of a user on a frontend, if it is about him.
fn effect(call: &Call, sid: usize, user: usize) -> Option<May> {
    match *call {
        Call::Add(on, who) => (on == sid && who == user).then_some(May::IN),
        Call::Remove(on, who) => (on == sid && who == user).then_some(May::OUT),
        Call::Leave(who) => (who == user).then_some(May::OUT),
        Call::Destroy | Call::Clean => Some(May::OUT),
        Call::Read(_) | Call::Count | Call::Other(_) | Call::Pause(_) => None,
    }
}

fn each() -> impl Iterator<Item = (usize, usize)> {
    (0..SIDS.len()).flat_map(|sid| (0..USERS.len()).map(move |user| (sid, user)))
}

/// Executes a call. One that failed may count or not, but not later.
fn execute(model: &mut Model, call: &Call, is_done: bool) {
    for (sid, user) in each() {
        if let Some(effect) = effect(call, sid, user) {
            let may = &mut model[sid][user];
            *may = if is_done { effect } else { may.or(effect) };
        }
    }
}

/// Returns what a read may show: if connections break, it may have been sent again after later calls were executed.
fn seen(model: &Model, later: &[Call], breaks: bool) -> Model {
    let mut seen = *model;
    for call in later.iter().filter(|_| breaks) {
        execute(&mut seen, call, false);
    }
    seen
}

fn users(list: &str) -> BTreeSet<&str> {
    list.split(|c: char| !c.is_alphanumeric())
        .filter(|text| !text.is_empty())
        .collect()
}

fn check(calls: &[Call], breaks: bool, run: &mut Run) -> std::result::Result<(), TestCaseError> {
    let mut model = [[May::OUT; USERS.len()]; SIDS.len()];
    for sid in [3, 4] {
        model[sid] = [May::IN; USERS.len()];
    }
    // At most these are counted besides.
    let others = calls.iter().filter(|call| matches!(call, Call::Other(_)));
    let others = others.count();
    for (seq, call) in (0..).zip(calls) {
        if matches!(call, Call::Pause(_) | Call::Other(_)) {
            continue;
        }
        let Some(answer) = run.answers.remove(&seq) else {
            return Err(TestCaseError::fail(format!("call {seq} has no answer")));
        };
        execute(&mut model, call, answer.is_ok());
        let Ok(Reply::Values(values)) = answer else {
            let is_read = matches!(call, Call::Read(_) | Call::Count);
            prop_assert!(!is_read || answer.is_err(), "{:?} for {:?}", answer, call);
            continue;
        };
        let place = usize::try_from(seq).unwrap();
        let seen = seen(&model, &calls[place..], breaks);
        if let Call::Read(sid) = *call {
            let list = values[0].as_ref().ok().and_then(Value::list);
            let list = users(list.expect("a list").json());
            for (user, may) in USERS.iter().zip(seen[sid]) {
                let is_in = list.contains(user);
                prop_assert!(may.allows(is_in), "call {}: {:?} and {}", seq, list, user);
            }
        } else {
            let count = values.iter().flatten().filter_map(Value::int).sum::<u64>();
            let all = seen.iter().flatten();
            let least = all.clone().filter(|may| !may.be_out).count() as u64;
            let most = (all.filter(|may| may.be_in).count() + others) as u64;
            let is_right = (least..=most).contains(&count);
            prop_assert!(
                is_right,
                "call {}: {}, not {} to {}",
                seq,
                count,
                least,
                most
            );
        }
    }
    prop_assert!(run.answers.is_empty(), "answers to no calls");
    let sets = &run.store.0.lock().unwrap().sets;
    for (sid, user) in each() {
        let key = format!("P:n:{}", SIDS[sid]).into_bytes();
        let set = sets.get(&key);
        let is_in = set.is_some_and(|set| set.contains(USERS[user].as_bytes()));
        let may = model[sid][user];
        prop_assert!(
            may.allows(is_in),
            "{} on {}: {}",
            USERS[user],
            SIDS[sid],
            is_in
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    /// Each call has one answer; what it shows, and what is left, is what calls in call order make of it.
    #[test]
    fn calls_on_one_frontend_and_on_all_of_them_take_effect_in_call_order(
        calls in prop::collection::vec(call(), 0..50),
        dials in prop::collection::vec(dial(), 0..5),
        scan_pause in prop_oneof![Just(0), 0..100u64, 0..1100u64],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        let is_break = |fate: &Fate| matches!(fate, Fate::Breaks(_));
        let breaks = |dial: &Dial| matches!(dial, Dial::Up(fates, _) if fates.iter().any(is_break));
        let breaks = dials.iter().any(breaks);
        let dials = std::iter::once(Dial::Up(vec![Fate::Good(1)], true)).chain(dials);
        let pause = Duration::from_millis(scan_pause);
        let mut run = runtime.block_on(run(&calls, dials.collect(), pause));
        check(&calls, breaks, &mut run)?;
    }
}
