//! Goes through the keys under the prefix, step by step: what each of them is, in which channels a user is, and which entries of
//! the index of members have no member.

use std::collections::HashSet;

use serde_json::{Value as Json, json};

use super::{Asked, question::Question, text};
use crate::{
    command::{Command, PageOp, ReadOp},
    error::{Error, Result},
    keys::{Key, of_user},
    membership::{Place, name, split},
    options::Store,
    pages::{KeyFilter, KeyParts, Step, cursor},
};

impl Asked<'_> {
    /// Answers what the next `limit` keys are, about: `{keys: [{key, name, sid, kind, count, isInner}], cursor}`. `kind` is the
    /// type in Redis; `name` and `sid` are null for a key that names no frontend; `isInner` tells whether it is under a longer
    /// prefix that `meet` has found.
    pub(super) async fn survey(&self, question: &Question) -> Result<Json> {
        let (step, cursor) = self.step(question, "survey").await?;
        let kinds = self.opened.connection.kinds(&step).await?;
        let sets = step
            .iter()
            .zip(&kinds)
            .filter(|(_, kind)| &***kind == "set");
        let sets: Vec<Key> = sets.map(|(key, _)| key.clone()).collect();
        let mut counts = self.counts(&sets).await?.into_iter();
        let parts = KeyParts::new(self.layout(), &self.sids().await?);
        let are_inner: Vec<_> = {
            let met = self.reader.met();
            step.iter().map(|key| met.inner.have(key)).collect()
        };
        let mut keys = Vec::with_capacity(step.len());
        for ((key, kind), is_inner) in step.iter().zip(&kinds).zip(are_inner) {
            let count = if &**kind == "set" {
                counts.next().unwrap_or_default()
            } else {
                0
            };
            let names = parts.of(key);
            keys.push(json!({
                "key": text(key),
                "name": names.map(|(name, _)| text(name)),
                "sid": names.map(|(_, sid)| text(sid)),
                "kind": &**kind,
                "count": count,
                "isInner": is_inner,
            }));
        }
        Ok(json!({ "keys": keys, "cursor": cursor }))
    }

    /// Answers in which channels the user `uid` is, of the next `limit` keys, about: `{channels: [{name, sid}], cursor}`.
    pub(super) async fn whereabouts(&self, question: &Question) -> Result<Json> {
        let uid = question.given("uid")?;
        let (keys, cursor) = self.step(question, "whereabouts").await?;
        let parts = KeyParts::new(self.layout(), &self.sids().await?);
        let is_in = self.are_in(&keys, uid.as_bytes()).await?;
        let found = keys.iter().zip(is_in).filter(|(_, is_in)| *is_in);
        let channels = found.filter_map(|(key, _)| {
            let (name, sid) = parts.of(key)?;
            Some(json!({ "name": text(name), "sid": text(sid) }))
        });
        let channels: Vec<_> = channels.collect();
        Ok(json!({ "channels": channels, "cursor": cursor }))
    }

    /// Answers which entries of the index of members on the frontend `sid` have no member, of the next `limit` users (in the
    /// embedded store: entries): `{entries: [{uid, name}], cursor}`. What is changed meanwhile is not among them.
    pub(super) async fn stale(&self, question: &Question) -> Result<Json> {
        let sid = question.given("sid")?;
        let index = self.layout().members(sid);
        let about = [&index[..], b"stale"];
        let seed = cursor::seed(self.reader.kind(), PageOp::Members, &about);
        let position = question.position(seed)?;
        let step = self
            .source
            .members(&index, position.as_deref(), question.limit());
        let step = step.await?;
        let before = self.entries_without(&index, sid, &step.found).await?;
        let mut entries = Vec::new();
        if !before.is_empty() {
            // Again: one that was being added or removed is as it should be by now.
            let after = self.entries_without(&index, sid, &step.found).await?;
            let hash_tag = self.layout().has_hash_tag();
            for (uid, field) in before.intersection(&after) {
                let field = text(field);
                entries.push(json!({ "uid": text(uid), "name": name(&field, hash_tag) }));
            }
        }
        let next = step.next.map(|next| cursor::seal(seed, &next));
        Ok(json!({ "entries": entries, "cursor": next }))
    }

    /// Returns the entries, each a uid and a field, without a member.
    async fn entries_without(
        &self,
        index: &[u8],
        sid: &str,
        items: &[Vec<u8>],
    ) -> Result<HashSet<(Vec<u8>, Vec<u8>)>> {
        let mut without = HashSet::new();
        for (uid, fields) in self.entries(index, items).await? {
            let stem = self.layout().stem();
            let place = Place {
                head: &stem,
                sid: sid.as_bytes(),
            };
            let keys: Vec<Key> = fields.iter().map(|field| place.key(field)).collect();
            let is_in = self.are_in(&keys, &uid).await?;
            for (field, is_in) in fields.into_iter().zip(is_in) {
                if !is_in {
                    without.insert((uid.clone(), field));
                }
            }
        }
        Ok(without)
    }

    /// Reads the entries of items of an index: those of users in Redis; in the embedded store an item is an entry.
    async fn entries(
        &self,
        index: &[u8],
        items: &[Vec<u8>],
    ) -> Result<Vec<(Vec<u8>, Vec<Vec<u8>>)>> {
        if matches!(self.reader.store, Store::Embedded(_)) {
            let entries = items.iter().filter_map(|item| split(item));
            return Ok(entries
                .map(|(uid, field)| (uid.to_vec(), vec![field.to_vec()]))
                .collect());
        }
        if items.is_empty() {
            return Ok(Vec::new());
        }
        let keys = items.iter().map(|uid| of_user(index, uid));
        let command = Command::read(ReadOp::KeptUsers, keys.collect());
        let values = self.read(&command).await?;
        let mut entries = Vec::with_capacity(items.len());
        for (uid, value) in items.iter().zip(values) {
            let value = value?;
            let fields = value.list().into_iter().flat_map(|list| list.texts());
            entries.push((uid.clone(), fields.map(String::into_bytes).collect()));
        }
        Ok(entries)
    }

    /// Returns for each key whether the user is a member; false for what is no set.
    async fn are_in(&self, keys: &[Key], uid: &[u8]) -> Result<Vec<bool>> {
        let mut are_in = Vec::with_capacity(keys.len());
        for part in keys.chunks(super::TOGETHER) {
            let command = Command::read_member(ReadOp::IsMember, part.to_vec(), uid);
            for value in self.read(&command).await? {
                are_in.push(match value {
                    Err(Error::Store(words)) if words.starts_with("WRONGTYPE") => false,
                    value => value?.is_true(),
                });
            }
        }
        Ok(are_in)
    }

    /// Does a step through the keys under the prefix, each once; returns them, and the cursor of the next step of `view`.
    async fn step(&self, question: &Question, view: &str) -> Result<(Vec<Key>, Option<String>)> {
        let stem = self.layout().stem();
        let about = [&stem[..], view.as_bytes()];
        let seed = cursor::seed(self.reader.kind(), PageOp::Channels, &about);
        let position = question.position(seed)?;
        let filter = KeyFilter::all(stem);
        let keys = self
            .source
            .keys(&filter, position.as_deref(), question.limit());
        let Step { found, next } = keys.await?;
        let mut known = HashSet::new();
        let found = found.into_iter().filter(|key| known.insert(key.clone()));
        let next = next.map(|next| cursor::seal(seed, &next));
        Ok((found.collect(), next))
    }
}
