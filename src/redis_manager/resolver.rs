//! Resolves host names. The system's look-up blocks a thread for as long as the name servers are silent, and cannot be
//! cancelled. So look-ups are shared by everything in the process: one for each name at a time, however often it is
//! asked for, and at most [`SLOTS`] at once. Those that wait get their turn in order, so that no name is left out.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::{Semaphore, watch},
    task::spawn_blocking,
};

use super::server_errors::unreachable;
use crate::manager::ConnectError;

/// The number of look-ups at once, and so of threads that they take.
const SLOTS: usize = 8;

static SHARED: LazyLock<Resolver> = LazyLock::new(|| Resolver::new(SLOTS, system));

/// The outcome of a look-up: the addresses, without a port.
type Outcome = Result<Arc<[SocketAddr]>, ConnectError>;

/// Receives the outcome; `None` until there is one.
type Pending = watch::Sender<Option<Outcome>>;

/// Returns all addresses of a host, in the order of the system's preference.
pub(super) async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectError> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let mut all = SHARED.resolve(host).await?.to_vec();
    for at in &mut all {
        at.set_port(port);
    }
    Ok(all)
}

fn system(host: &str) -> io::Result<Vec<SocketAddr>> {
    Ok((host, 0).to_socket_addrs()?.collect())
}

#[derive(Clone)]
struct Resolver {
    /// The names that are being looked up, or wait for that.
    names: Arc<Mutex<HashMap<String, Arc<Pending>>>>,
    slots: Arc<Semaphore>,
    /// Blocks.
    look_up: fn(&str) -> io::Result<Vec<SocketAddr>>,
}

impl Resolver {
    fn new(slots: usize, look_up: fn(&str) -> io::Result<Vec<SocketAddr>>) -> Self {
        Self {
            names: Arc::default(),
            slots: Arc::new(Semaphore::new(slots)),
            look_up,
        }
    }

    async fn resolve(&self, host: &str) -> Outcome {
        loop {
            let mut pending = self.ask(host);
            // The look-up is gone if the runtime on which it was begun has ended.
            if let Ok(outcome) = pending.wait_for(Option::is_some).await
                && let Some(outcome) = outcome.clone()
            {
                return outcome;
            }
        }
    }

    /// Joins the look-up of a name, and begins one if there is none.
    fn ask(&self, host: &str) -> watch::Receiver<Option<Outcome>> {
        let mut names = lock(&self.names);
        if let Some(pending) = names.get(host) {
            return pending.subscribe();
        }
        let (pending, receiver) = watch::channel(None);
        let pending = Arc::new(pending);
        names.insert(host.to_owned(), pending.clone());
        drop(names);
        let entry = Entry {
            names: self.names.clone(),
            host: host.to_owned(),
            pending,
        };
        let (slots, look_up) = (self.slots.clone(), self.look_up);
        tokio::spawn(async move {
            // Fails only if it is closed, which it never is.
            let slot = slots.acquire_owned().await;
            if entry.is_abandoned() {
                return;
            }
            spawn_blocking(move || {
                let found = look_up(&entry.host);
                entry.end(found.map(Into::into).map_err(|error| unreachable(&error)));
                drop(slot);
            });
        });
        receiver
    }
}

/// The entry of a name, which is removed with the end of its look-up, whatever that is.
struct Entry {
    names: Arc<Mutex<HashMap<String, Arc<Pending>>>>,
    host: String,
    pending: Arc<Pending>,
}

impl Entry {
    /// Removes the entry if nothing waits for it any more.
    fn is_abandoned(&self) -> bool {
        // Nothing can join meanwhile.
        let mut names = lock(&self.names);
        let abandoned = self.pending.receiver_count() == 0;
        if abandoned {
            names.remove(&self.host);
        }
        abandoned
    }

    fn end(&self, outcome: Outcome) {
        lock(&self.names).remove(&self.host);
        self.pending.send_replace(Some(outcome));
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut names = lock(&self.names);
        let own = names.get(&self.host);
        if own.is_some_and(|pending| Arc::ptr_eq(pending, &self.pending)) {
            names.remove(&self.host);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Condvar,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };

    use tokio::time::timeout;

    use futures_util::FutureExt as _;

    use super::*;

    /// A name server that is silent for names that begin with `silent`, until it is woken.
    struct Server {
        begun: AtomicUsize,
        under_way: AtomicUsize,
        most: AtomicUsize,
        wakes: Mutex<bool>,
        woken: Condvar,
    }

    impl Server {
        const fn new() -> Self {
            Self {
                begun: AtomicUsize::new(0),
                under_way: AtomicUsize::new(0),
                most: AtomicUsize::new(0),
                wakes: Mutex::new(false),
                woken: Condvar::new(),
            }
        }

        fn look_up(&self, host: &str) -> io::Result<Vec<SocketAddr>> {
            self.begun.fetch_add(1, Ordering::SeqCst);
            let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(under_way, Ordering::SeqCst);
            if host.starts_with("silent") {
                let wakes = lock(&self.wakes);
                drop(self.woken.wait_while(wakes, |wakes| !*wakes));
            }
            self.under_way.fetch_sub(1, Ordering::SeqCst);
            if host.ends_with("unknown") {
                return Err(io::Error::other("no such name"));
            }
            Ok(vec![SocketAddr::from(([10, 0, 0, 1], 0))])
        }

        fn wake(&self) {
            *lock(&self.wakes) = true;
            self.woken.notify_all();
        }
    }

    const SOON: Duration = Duration::from_millis(20);
    const GENEROUS: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_name_is_looked_up_once_at_a_time_however_often_its_look_up_is_given_up() {
        static SERVER: Server = Server::new();
        let resolver = Resolver::new(2, |host| SERVER.look_up(host));
        for _ in 0..10 {
            let all = (0..20).map(|_| resolver.resolve("silent"));
            assert!(
                timeout(SOON, futures_util::future::join_all(all))
                    .await
                    .is_err()
            );
        }
        // Its thread may begin late.
        while SERVER.begun.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(SERVER.begun.load(Ordering::SeqCst), 1);
        let mut waiting = std::pin::pin!(resolver.resolve("silent"));
        // It joins the look-up only when it is polled.
        assert!(waiting.as_mut().now_or_never().is_none());
        SERVER.wake();
        let found = timeout(GENEROUS, waiting).await.expect("an answer");
        assert_eq!(found.expect("addresses").len(), 1);
        assert!(lock(&resolver.names).is_empty());
        // The next one asks again, because the addresses may have changed.
        resolver.resolve("silent").await.expect("addresses");
        assert_eq!(SERVER.begun.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn look_ups_take_a_bounded_number_of_threads_and_those_that_wait_get_their_turn() {
        static SERVER: Server = Server::new();
        let resolver = Resolver::new(2, |host| SERVER.look_up(host));
        // A slow name leaves room for others.
        let slow = resolver.ask("silent");
        while SERVER.begun.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let other = timeout(GENEROUS, resolver.resolve("other")).await;
        other.expect("an answer").expect("addresses");
        let names: Vec<_> = (0..30).map(|n| format!("silent-{n}")).collect();
        let waiting: Vec<_> = names.iter().map(|name| resolver.ask(name)).collect();
        // Nothing waits for this one any more when its turn comes.
        drop(resolver.ask("silent-abandoned"));
        let last = resolver.resolve("unknown");
        SERVER.wake();
        let error = timeout(GENEROUS, last).await.expect("an answer");
        assert_eq!(error, Err(ConnectError::Unreachable("no such name".into())));
        for mut pending in waiting.into_iter().chain([slow]) {
            let answer = timeout(GENEROUS, pending.wait_for(Option::is_some)).await;
            assert!(answer.is_ok_and(|outcome| outcome.is_ok()));
        }
        assert_eq!(SERVER.most.load(Ordering::SeqCst), 2);
        assert_eq!(SERVER.begun.load(Ordering::SeqCst), 33);
    }

    #[test]
    fn a_look_up_whose_runtime_has_ended_is_begun_again_on_the_next_one() {
        static SERVER: Server = Server::new();
        let resolver = Resolver::new(1, |host| SERVER.look_up(host));
        let runtime = || {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            builder.enable_time().build().expect("a runtime")
        };
        let first = runtime();
        first.block_on(async {
            let both = ["silent", "silent-too"].map(|name| resolver.resolve(name));
            assert!(
                timeout(SOON, futures_util::future::join_all(both))
                    .await
                    .is_err()
            );
        });
        first.shutdown_background();
        let second = runtime();
        second.block_on(async {
            let waiting = resolver.ask("silent-too");
            SERVER.wake();
            drop(waiting);
            let found = timeout(GENEROUS, resolver.resolve("silent-too")).await;
            found.expect("an answer").expect("addresses");
        });
    }
}
