//! The frontends that the store knows: those of its index, those with leases, and those that a scan of the keys has found;
//! and what each of them has.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::{Asked, TOGETHER, question::Question, text};
use crate::{
    command::{Command, Op, ReadOp, Texts, Value},
    error::{Error, Result},
    keys::Key,
    membership::name,
    pages::{KeyFilter, KeyParts},
};

/// The maximum number of steps in which the index is read: of a thousand sids each.
const STEPS: usize = 100;

/// The maximum number of frontends that a scan finds, since any key may look like one of a channel.
const MOST_MET: usize = 1000;

impl Asked<'_> {
    /// Answers `{sids, noted, ending, leases: [{sid, epoch, ttl}], online: [count], indexed: [bool], denied: [text]}`.
    /// `online` and `indexed` are in the order of `sids`; `noted` and `ending` are the sets of `lib/leaseMarks.js`, as they are.
    /// `denied` has the errors about what the user of the store may
    /// not read.
    pub(super) async fn frontends(&self) -> Result<Json> {
        let mut denied = Vec::new();
        let keys = self.layout();
        let noted = self.list(&keys.leases(), &mut denied).await?;
        let ending = self.list(&keys.session_leases(), &mut denied).await?;
        let index = self.list(&keys.index(), &mut denied).await?;
        let mut sids: BTreeSet<String> = index.into_iter().collect();
        sids.extend(noted.iter().cloned());
        // Marks begin with a zero: see lib/leaseMarks.js.
        let ends = || ending.iter().filter(|sid| !sid.starts_with('\0'));
        sids.extend(ends().cloned());
        sids.extend(self.reader.met().sids.iter().cloned());

        let with_lease: BTreeSet<&String> = noted.iter().chain(ends()).collect();
        let with_lease: Vec<_> = with_lease.into_iter().collect();
        let mut leases = Vec::new();
        for part in with_lease.chunks(TOGETHER) {
            let keys = part.iter().map(|sid| keys.lease(sid)).collect();
            let values = self.read(&Command::read(ReadOp::Lease, keys)).await?;
            for (sid, value) in part.iter().zip(values) {
                if let Value::Lease(lease) = value? {
                    leases.push(json!({ "sid": sid, "epoch": lease.epoch, "ttl": lease.ttl }));
                }
            }
        }
        let (mut online, mut indexed) = (vec![0; sids.len()], vec![false; sids.len()]);
        if !with_lease.is_empty() {
            let of = |make: &dyn Fn(&str) -> Key| sids.iter().map(|sid| make(sid)).collect();
            let keys_of_online: Vec<Key> = of(&|sid| keys.online(sid));
            let keys_of_members: Vec<Key> = of(&|sid| keys.members(sid));
            online = permitted(self.counts(&keys_of_online).await, &mut denied)?.unwrap_or(online);
            if let Some(counts) = permitted(self.counts(&keys_of_members).await, &mut denied)? {
                indexed = counts.into_iter().map(|count| count > 0).collect();
            }
        }
        Ok(json!({
            "sids": sids,
            "noted": noted,
            "ending": ending,
            "leases": leases,
            "online": online,
            "indexed": indexed,
            "denied": denied,
        }))
    }

    /// Answers for each of `sids` whether the user `uid` is in the list of those online there.
    pub(super) async fn online(&self, question: &Question) -> Result<Json> {
        let uid = question.given("uid")?.as_bytes();
        let keys = question.texts("sids");
        let keys: Vec<_> = keys.iter().map(|sid| self.layout().online(sid)).collect();
        let mut online = Vec::new();
        for part in keys.chunks(TOGETHER) {
            let command = Command::read_member(ReadOp::IsMember, part.to_vec(), uid);
            for value in self.read(&command).await? {
                online.push(value?.is_true());
            }
        }
        Ok(json!(online))
    }

    /// Answers for each of `sids` the names of the channels that its index has for the user `uid`, and in which he is.
    pub(super) async fn joined(&self, question: &Question) -> Result<Json> {
        let (uid, sids) = (question.given("uid")?, question.texts("sids"));
        if sids.is_empty() {
            return Ok(json!([]));
        }
        let keys = self.layout();
        let indexes = sids.iter().map(|sid| keys.members(sid)).collect();
        let arguments = Texts::from_iter([uid.as_bytes(), &keys.stem()]);
        let command = Command::new(Op::Read(ReadOp::Joined), indexes, arguments);
        let mut joined = Vec::new();
        for value in self.read(&command).await? {
            let value = value?;
            let fields = value.list().into_iter().flat_map(|list| list.texts());
            let names = fields.map(|field| name(&field, keys.has_hash_tag()).to_owned());
            joined.push(names.collect::<Vec<_>>());
        }
        Ok(json!(joined))
    }

    /// Goes on with the scan for frontends that are in no index, of `limit` keys about; answers `{scanned, isDone}`.
    pub(super) async fn meet(&self, question: &Question) -> Result<Json> {
        let (position, is_done, before) = {
            let met = self.reader.met();
            (met.position.clone(), met.is_done, met.scanned)
        };
        if is_done {
            return Ok(json!({ "scanned": before, "isDone": true }));
        }
        let filter = KeyFilter::all(self.layout().stem());
        let parts = KeyParts::new(self.layout(), &self.sids().await?);
        let width = question.limit();
        let step = self.source.keys(&filter, position.as_deref(), width);
        let step = step.await?;
        let mut met = self.reader.met();
        for key in &step.found {
            met.inner.learn(&filter.stem, key);
        }
        let own = step.found.iter().filter(|key| !met.inner.have(key));
        let sids = own.filter_map(|key| parts.of(key));
        let sids: Vec<_> = sids.map(|(_, sid)| text(sid)).collect();
        for sid in sids {
            if met.sids.len() < MOST_MET {
                met.sids.insert(sid);
            }
        }
        met.scanned = before + width as u64;
        met.is_done = step.next.is_none();
        met.position = step.next;
        Ok(json!({ "scanned": met.scanned, "isDone": met.is_done }))
    }

    /// Returns all frontends that are known without a scan, and those that one has found.
    pub(super) async fn sids(&self) -> Result<Vec<String>> {
        let mut sids: BTreeSet<String> = self.reader.met().sids.iter().cloned().collect();
        let keys = self.layout();
        for key in [keys.index(), keys.leases(), keys.session_leases()] {
            let listed = self.list(&key, &mut Vec::new()).await?;
            // Marks begin with a zero: see lib/leaseMarks.js.
            sids.extend(listed.into_iter().filter(|sid| !sid.starts_with('\0')));
        }
        Ok(sids.into_iter().collect())
    }

    /// Reads a set of server ids, step by step.
    async fn list(&self, key: &[u8], denied: &mut Vec<String>) -> Result<Vec<String>> {
        let (mut found, mut position) = (BTreeSet::new(), None);
        for _ in 0..STEPS {
            let step = self.source.members(key, position.as_deref(), TOGETHER);
            let Some(step) = permitted(step.await, denied)? else {
                break;
            };
            found.extend(step.found.iter().map(|sid| text(sid)));
            position = step.next;
            if position.is_none() {
                break;
            }
        }
        Ok(found.into_iter().collect())
    }
}

/// Returns `None` for what the user of the store may not read, or what is of another type, and notes it: the user of a store
/// without leases needs no rights to their keys.
fn permitted<T>(read: Result<T>, denied: &mut Vec<String>) -> Result<Option<T>> {
    match read {
        Err(Error::Store(words))
            if words.starts_with("NOPERM") || words.starts_with("WRONGTYPE") =>
        {
            denied.push(words.to_string());
            Ok(None)
        }
        read => read.map(Some),
    }
}
