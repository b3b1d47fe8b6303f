//! Pages of channels and of members, and how the members of a channel are spread over the frontends.

use std::collections::HashMap;

use serde_json::{Value as Json, json};

use super::{Asked, question::Question, text};
use crate::{
    command::PageOp,
    error::Result,
    pages::{PageQuery, cursor, read, read_channels},
};

impl Asked<'_> {
    /// Answers a page of the channels whose names match: `{channels: [{name, count, frontends: [{sid, count}]}], cursor}`.
    pub(super) async fn channels(&self, question: &Question) -> Result<Json> {
        let (keys, glob) = (self.layout(), question.glob()?.as_bytes());
        let mut about = keys.stem();
        keys.begin(&mut about);
        let seed = cursor::seed(self.reader.kind(), PageOp::Channels, &[&about, glob]);
        let position = question.position(seed)?;
        let sids = self.sids().await?;
        let query = PageQuery::of_channels(keys, (glob, &sids), seed, position, question.limit());
        let mut spread: HashMap<Vec<u8>, Vec<(String, u64)>> = HashMap::new();
        let mut tell = |name: &[u8], sid: &[u8], count| {
            let frontends = spread.entry(name.to_vec()).or_default();
            frontends.push((text(sid), count));
        };
        let page = read_channels(&*self.source, &query, &self.reader.given, &mut tell).await?;
        let counts = page.counts.unwrap_or_default();
        let channels = page.names.iter().zip(counts).map(|(name, count)| {
            let frontends = spread.remove(name).unwrap_or_default();
            json!({ "name": text(name), "count": count, "frontends": in_order(frontends) })
        });
        let channels: Vec<_> = channels.collect();
        Ok(json!({ "channels": channels, "cursor": page.cursor }))
    }

    /// Answers the frontends with members of the channel `name`: `[{sid, count}]`.
    pub(super) async fn spread(&self, question: &Question) -> Result<Json> {
        let name = question.given("name")?;
        let sids = self.sids().await?;
        let keys: Vec<_> = sids
            .iter()
            .map(|sid| self.layout().key(name, sid))
            .collect();
        let counts = self.counts(&keys).await?;
        let frontends = sids.into_iter().zip(counts);
        let frontends = frontends.filter(|(_, count)| *count > 0).collect();
        Ok(in_order(frontends))
    }

    /// Answers a page of the members of the channel `name` on the frontend `sid`: `{members, cursor}`.
    pub(super) async fn members(&self, question: &Question) -> Result<Json> {
        let key = self
            .layout()
            .key(question.given("name")?, question.given("sid")?);
        let seed = cursor::seed(self.reader.kind(), PageOp::Members, &[&key]);
        let position = question.position(seed)?;
        let query = PageQuery::of_members(&key, seed, position, question.limit());
        let page = read(&*self.source, &query, &self.reader.given).await?;
        let members = page.names.iter().map(|uid| text(uid));
        let members: Vec<_> = members.collect();
        Ok(json!({ "members": members, "cursor": page.cursor }))
    }
}

/// Returns the frontends as JSON, that with most members first.
fn in_order(mut frontends: Vec<(String, u64)>) -> Json {
    frontends.sort_unstable_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(&other.0)));
    let frontends = frontends.into_iter();
    frontends
        .map(|(sid, count)| json!({ "sid": sid, "count": count }))
        .collect()
}
