//! Puts members back that are kept ([`crate::membership`]) in a Redis Cluster, where what is kept, lease and index are
//! in one slot, and the channels in others:
//!
//! 1. One step checks the lease, reads what is kept, and writes the entries, as ones that are not certain.
//! 2. The members are added.
//! 3. One step looks whether they are kept still, and the lease is. What is not was removed by a call meanwhile, or is another
//!    epoch's: its entry goes, unless an `add` has made it certain.
//! 4. Those members are removed again, and added again if an `add` has written their entries by then.
//!
//! A leave, or the removal of a channel, removes what is kept before it removes members, and again after that
//! ([`super::membership`]): so one of steps 1 and 3 finds it. If the connection is lost, all is done again. Only if it
//! is lost between the steps 3 and 4, a member that was removed between 1 and 3 may stay.

use std::sync::Arc;

use redis::Value as Answer;

use super::{
    event_scripts::{self, CALL},
    purge::{Named, Step, by_index, changes, done, lost},
    rounds::{ask, is_no_set, items, unanswered},
    shared::Shared,
};
use crate::{
    command::Command,
    error::{Error, Result},
    lease::{Lease, LeaseState},
    membership::{Place, Purge},
    redis_manager::{begin_back, end_back, wrote},
};

/// Puts back some users, one after the other.
pub(super) async fn put_back(shared: &Arc<Shared>, call: &Command) -> Step<Lease> {
    let [index, key, gone] = call.keys() else {
        return Err(unanswered().into());
    };
    let purge = Purge::of(call.members());
    let keys = [index, key, gone];
    let mut lease = Lease {
        state: LeaseState::Held,
        count: 0,
        epoch: String::from_utf8_lossy(purge.epoch).into_owned(),
        ttl: 0,
    };
    for (at, uid) in purge.uids.clone().enumerate() {
        let asked = vec![(index, begin_back(keys, purge.epoch, uid))];
        let begun = ask(shared, asked).await?.pop();
        let (epoch, fields) = begun_with(begun.unwrap_or_else(|| Err(unanswered()))?)?;
        let Some(fields) = fields else {
            let left = purge.uids.len() - at;
            return Ok(lost(Lease { epoch, ..lease }, left as u64));
        };
        if fields.is_empty() {
            continue;
        }
        let place = Place::of(index, purge.stem);
        let of = |field: &Vec<u8>| Named {
            channel: place.key(field),
            uid: uid.to_vec(),
            field: field.clone(),
        };
        let named: Vec<Named> = fields.iter().map(of).collect();
        let (added, refused) = add(shared, &named).await?;
        if let Some(error) = refused {
            return Err(error.into());
        }
        let asked = vec![(index, end_back(keys, purge.epoch, uid, &fields))];
        let ended = ask(shared, asked).await?.pop();
        let left = items(ended.unwrap_or_else(|| Err(unanswered()))?)?;
        let left: Vec<&Named> = named.iter().filter(|it| left.contains(&it.field)).collect();
        let removed = changes(shared, false, left.iter().copied(), CALL);
        done(ask(shared, removed).await?)?;
        let (again, _) = by_index(shared, &left, index).await?;
        let again = changes(shared, true, again.iter().copied(), CALL);
        done(ask(shared, again).await?)?;
        lease.count += added.saturating_sub(left.len() as u64);
    }
    Ok(lease)
}

/// Returns the epoch that holds the lease, and the fields that are put back; `None` if it is another one.
fn begun_with(answer: Answer) -> Result<(String, Option<Vec<Vec<u8>>>)> {
    let parts = match answer {
        Answer::Array(parts) => parts,
        other => return Err(wrote(other).err().unwrap_or_else(unanswered)),
    };
    match <[Answer; 3]>::try_from(parts) {
        Ok([Answer::Int(is_held), Answer::BulkString(epoch), fields]) => {
            let epoch = String::from_utf8_lossy(&epoch).into_owned();
            let fields = (is_held == 1).then(|| items(fields)).transpose()?;
            Ok((epoch, fields))
        }
        _ => Err(unanswered()),
    }
}

/// Adds members. Returns how many were none, and an error if one was refused.
async fn add(shared: &Arc<Shared>, named: &[Named]) -> Step<(u64, Option<Error>)> {
    let answers = ask(shared, changes(shared, true, named, CALL)).await?;
    let (mut added, mut refused) = (0, None);
    for answer in answers {
        match event_scripts::explained(answer.and_then(wrote)) {
            Ok(count) => added += count,
            // What is no set has no members of ours.
            Err(error) if is_no_set(&error) => {}
            Err(error) => refused = Some(error),
        }
    }
    Ok((added, refused))
}
