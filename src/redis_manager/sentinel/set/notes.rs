//! Lines for the log about the sentinels: if fewer are connected than there should be, or if our user may not ask them
//! everything.

use super::SentinelSet;
use crate::redis_manager::sentinel::protocol::{AUTH, MASTER};

impl SentinelSet {
    /// Returns new lines for the log about what weakens the protection.
    pub(in crate::redis_manager::sentinel) fn notes(&mut self) -> Vec<String> {
        let mut notes = Vec::new();
        let heard = self.heard();
        let counts = self.members.iter().filter_map(|member| member.count);
        let all = counts.max().map_or(0, |others| others + 1);
        if heard < all {
            let why = self.members.iter().filter(|member| !member.up);
            let why = why.filter_map(|member| {
                let no = member.no.as_ref()?;
                Some(format!("; {}: {no}", member.addr.at))
            });
            notes.push(format!(
                "only {heard} of {all} sentinels are heard: writes that are acknowledged during a failover that \
                 another one leads may be lost{}",
                why.collect::<String>()
            ));
        }
        for member in &self.members {
            for (command, words) in &member.denied {
                let less = match *command {
                    MASTER => "the latest failover cannot be told from an older one",
                    AUTH => "a password is given, and the sentinel needs none",
                    _ => "only the sentinels that are listed are listened to",
                };
                notes.push(format!("{command}: {words}: {less}"));
            }
            if let Some(words) = &member.not_subscribed {
                notes.push(format!(
                    "sentinel {} lets us not listen: {words}",
                    member.addr.at
                ));
            }
        }
        notes.sort_unstable();
        notes.dedup();
        let news = notes.iter().filter(|note| !self.noted.contains(note));
        let news = news.cloned().collect();
        self.noted = notes;
        news
    }

    /// Returns the number of different sentinels with a connection on which failovers are reported.
    fn heard(&self) -> usize {
        let heard = self
            .members
            .iter()
            .filter(|each| each.up && each.not_subscribed.is_none());
        let mut ids: Vec<String> = heard
            .map(|member| {
                member
                    .id
                    .clone()
                    .unwrap_or_else(|| member.addr.at.to_string())
            })
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids.len()
    }
}
