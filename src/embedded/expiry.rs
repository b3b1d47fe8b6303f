//! For how long the embedded store has what a purge keeps ([`super::kept`]): as in Redis, where the key expires, it ends so
//! many milliseconds after something was kept last.
//!
//! Beside what is kept is the time of its end ([`crate::keys::until_of`]), a channel with one member, by the clock of leases
//! ([`super::leases`]). Each reading of what is kept looks at the time, so nothing is put back after it. What has expired
//! is removed later, by steps that are about leases: each frontend makes one with each renewal. Where there is no time, an
//! earlier build has kept it, which has none: it counts, and one of these steps gives it a time.
//!
//! **Bounded steps.** There may be very many members. So what has expired is first set aside, which is a change of its
//! row alone: its key becomes one that begins with [`crate::keys::expired_stem`], and the members lose their meaning with it.
//! Then each step removes some of them, [`STEP`] at most.

use super::{
    leases::now,
    lmdb::{self, RoTxn},
    rows::{Channel, Rows},
    write_txn::WriteTxn,
};
use crate::keys::{AFTER_SID, Key, ended_of, expired_stem, gone_stem, until_of};

type Result<T> = std::result::Result<T, lmdb::Error>;

/// The maximum number of members that one step removes of what has expired.
const STEP: usize = 1000;

/// The maximum number of keys that one step looks at.
const PAGE: usize = 48;

/// For how many leases that is kept which has no time: `KEPT` in `lib/sessions/members.js`.
const KEPT: u64 = 10;

/// Makes the member that tells the end: when it was written, and until when it counts. Both, because the clock begins anew with
/// the machine: one that was written later than now is from before that.
fn text(millis: u64) -> Vec<u8> {
    let from = now();
    format!("{from} {}", from.saturating_add(millis)).into_bytes()
}

/// Returns whether a time is not over: it was not written later than now, and its end is to come. One from before a restart of
/// the machine counts again from the time of the new clock at which it was written, until its end: it is never longer than it was.
fn is_valid(text: &[u8], now: u64) -> bool {
    let mut numbers = std::str::from_utf8(text)
        .unwrap_or_default()
        .split(' ')
        .map(str::parse::<u64>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(from)), Some(Ok(until))) => from <= now && now < until,
        _ => false,
    }
}

/// Returns whether what is kept counts still, given the row of its time. Without one it does.
pub(super) fn counts(rows: &Rows, txn: &RoTxn, until: Option<Channel>) -> Result<bool> {
    let Some(until) = until else {
        return Ok(true);
    };
    let text = rows.members(txn, until, None, 1)?.pop();
    Ok(text.is_some_and(|text| is_valid(&text, now())))
}

impl WriteTxn<'_> {
    /// Returns whether what is kept under this key counts still.
    pub(super) fn counts(&mut self, gone: &[u8]) -> Result<bool> {
        let until = self.channel(until_of(gone))?;
        counts(self.rows, &self.txn, until)
    }

    /// Sets what is kept aside if it has expired. To be called before it is read or added to.
    pub(super) fn expire(&mut self, stem: &[u8], gone: &[u8]) -> Result<()> {
        if self.has_members(gone)? && !self.counts(gone)? {
            self.set_aside(stem, gone.to_vec())?;
            self.set_aside(stem, ended_of(gone))?;
            self.delete(until_of(gone))?;
        }
        Ok(())
    }

    /// Has what is kept expire after this time from now on.
    pub(super) fn expire_after(&mut self, gone: &[u8], millis: u64) -> Result<()> {
        let key = until_of(gone);
        self.delete(key.clone())?;
        self.add(key, [text(millis)])?;
        Ok(())
    }

    /// Has what is kept expire so many leases of this length from now on, if it has no time.
    fn date(&mut self, gone: &[u8], ttl: u64) -> Result<()> {
        if ttl > 0 && self.has_members(gone)? && !self.has_members(&until_of(gone))? {
            self.expire_after(gone, ttl.saturating_mul(KEPT))?;
        }
        Ok(())
    }

    /// Renames a channel to one that has expired. No two have the same number.
    fn set_aside(&mut self, stem: &[u8], key: Key) -> Result<()> {
        if let Some(channel) = self.channel(key.clone())? {
            let number = format!("{:016x}", channel.number);
            let aside = [&*expired_stem(stem), number.as_bytes()].concat();
            self.touched(key.into(), None);
            self.touched(aside.into(), Some(channel));
        }
        Ok(())
    }

    /// Looks at some keys of what is kept, those after the last ones, and removes some of what has expired. `ttl` is that of the
    /// lease that the step is about, 0 if it takes none.
    pub(super) fn sweep_expired(&mut self, ttl: u64) -> Result<()> {
        let Some(stem) = self.kept.map(Vec::as_slice) else {
            return Ok(());
        };
        self.remove_expired(stem)?;
        let after = self.reading.swept.take();
        let begin = gone_stem(stem);
        let found = self
            .rows
            .channels(&self.txn, &begin, after.as_deref(), PAGE)?;
        let keys: Vec<Key> = found.into_iter().map(|(key, _)| key.to_vec()).collect();
        for key in &keys {
            match key.iter().rposition(|&byte| byte == AFTER_SID[0]) {
                Some(at) if at + 1 == key.len() => {
                    self.expire(stem, key)?;
                    self.date(key, ttl)?;
                }
                // What belongs to something kept, and outlives it only if that was removed by itself.
                Some(at) if !self.has_members(&key[..=at])? => self.set_aside(stem, key.clone())?,
                _ => {}
            }
        }
        self.reading.swept = keys.into_iter().nth(PAGE - 1);
        Ok(())
    }

    /// Removes some members of one channel that has expired.
    fn remove_expired(&mut self, stem: &[u8]) -> Result<()> {
        let begin = expired_stem(stem);
        let found = self.rows.channels(&self.txn, &begin, None, 1)?;
        let Some((key, channel)) = found.first().map(|(key, channel)| (key.to_vec(), *channel))
        else {
            return Ok(());
        };
        let members = self.rows.members(&self.txn, channel, None, STEP)?;
        self.reading.budget.write(members.len() as u64)?;
        self.remove(key, &members)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_over_at_its_end_if_it_was_written_later_than_now_and_if_it_is_damaged() {
        assert!(is_valid(b"100 200", 100) && is_valid(b"100 200", 199));
        for (text, now) in [
            (&b"100 200"[..], 200),
            (b"100 200", 99),
            (b"100", 100),
            (b"", 0),
            (b"a b", 0),
            (b"\xff 9", 0),
        ] {
            assert!(!is_valid(text, now), "{text:?} at {now}");
        }
        assert!(is_valid(&text(60_000), now()));
        assert!(!is_valid(&text(0), now()));
    }
}
