//! Connects to a host with several addresses: happy eyeballs as in RFC 8305. The next address is tried as soon as the
//! one before has failed, or has been silent for 250 ms; the first that connects is used, and the other attempts end.

use std::{collections::VecDeque, io, net::SocketAddr, time::Duration};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::time::{Instant, sleep_until};

/// RFC 8305's "Connection Attempt Delay"; Node has the same.
const DELAY: Duration = Duration::from_millis(250);

/// Connects to the first of `addresses` that answers; fails with the error of the first one if there is none.
pub(super) async fn connect<T, F: Future<Output = io::Result<T>>>(
    addresses: Vec<SocketAddr>,
    connect: impl Fn(SocketAddr) -> F,
) -> io::Result<T> {
    let mut left = interleaved(addresses);
    let mut attempts = FuturesUnordered::new();
    let mut failed: Option<(usize, io::Error)> = None;
    let mut begun = 0;
    let mut next = Instant::now();
    loop {
        tokio::select! {
            // A successful attempt takes precedence over starting another one.
            biased;
            Some((number, attempt)) = attempts.next() => match attempt {
                Ok(connected) => return Ok(connected),
                Err(error) => {
                    if failed.as_ref().is_none_or(|(first, _)| number < *first) {
                        failed = Some((number, error));
                    }
                    next = Instant::now();
                }
            },
            () = sleep_until(next), if !left.is_empty() => {
                if let Some(address) = left.pop_front() {
                    let (number, attempt) = (begun, connect(address));
                    attempts.push(async move { (number, attempt.await) });
                    begun += 1;
                }
                next = Instant::now() + DELAY;
            }
            else => break,
        }
    }
    let none = || io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    Err(failed.map_or_else(none, |(_, error)| error))
}

/// Orders addresses as IPv6 and IPv4 in turn, beginning with the family of the first, so that a family that does not
/// work costs one attempt.
fn interleaved(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (VecDeque<_>, VecDeque<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut all = VecDeque::new();
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            return all;
        }
        all.extend(pair.into_iter().flatten());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn v4(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 1))
    }

    /// What an address does: connects or fails after so many ms, or is silent.
    #[derive(Clone, Copy)]
    enum Does {
        Connects(u64),
        Fails(u64),
        Silent,
    }

    /// Who won, after how many ms, and when each attempt began.
    async fn run(addresses: &[(SocketAddr, Does)]) -> (io::Result<SocketAddr>, u128, Vec<u128>) {
        let start = Instant::now();
        let begun = Mutex::new(Vec::new());
        let attempt = |address| {
            begun
                .lock()
                .expect("a lock")
                .push(start.elapsed().as_millis());
            let found = addresses.iter().find(|(each, _)| *each == address);
            let does = found.map_or(Does::Silent, |(_, does)| *does);
            async move {
                let wait = |ms| tokio::time::sleep(Duration::from_millis(ms));
                match does {
                    Does::Connects(ms) => wait(ms).await,
                    Does::Fails(ms) => {
                        wait(ms).await;
                        return Err(io::Error::other(address.to_string()));
                    }
                    Does::Silent => std::future::pending().await,
                }
                Ok(address)
            }
        };
        let all = addresses.iter().map(|(address, _)| *address).collect();
        let won = connect(all, attempt).await;
        let took = start.elapsed().as_millis();
        (won, took, begun.into_inner().expect("a lock"))
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_address_costs_a_quarter_of_a_second() {
        let all = [
            (v4(1), Does::Silent),
            (v4(2), Does::Silent),
            (v4(3), Does::Connects(3)),
        ];
        let (won, took, begun) = run(&all).await;
        assert_eq!(won.expect("connected"), v4(3));
        assert_eq!((took, begun), (503, vec![0, 250, 500]));
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_refuses_is_followed_by_the_next_at_once() {
        let all = [
            (v4(1), Does::Fails(5)),
            (v4(2), Does::Fails(5)),
            (v4(3), Does::Connects(5)),
        ];
        let (won, took, _) = run(&all).await;
        assert_eq!((won.expect("connected"), took), (v4(3), 15));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_address_may_still_be_the_first_that_connects() {
        let all = [(v4(1), Does::Connects(300)), (v4(2), Does::Connects(300))];
        let (won, took, _) = run(&all).await;
        assert_eq!((won.expect("connected"), took), (v4(1), 300));
    }

    #[tokio::test(start_paused = true)]
    async fn where_none_connects_the_error_is_that_of_the_first() {
        let all = [(v4(1), Does::Fails(700)), (v4(2), Does::Fails(1))];
        let error = run(&all).await.0.expect_err("none connects");
        assert_eq!(error.to_string(), "10.0.0.1:1");
        assert!(run(&[]).await.0.is_err());
    }

    #[test]
    fn the_families_take_turns() {
        let given = ["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "1.1.1.2:1"].map(at);
        let expected = ["[::1]:1", "1.1.1.1:1", "[::2]:1", "1.1.1.2:1", "[::3]:1"].map(at);
        assert_eq!(interleaved(given.to_vec()), expected);
        let given = ["1.1.1.1:1", "[::1]:1"].map(at);
        assert_eq!(interleaved(given.to_vec()), given);
        assert!(interleaved(Vec::new()).is_empty());
    }
}
