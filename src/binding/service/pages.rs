//! The methods that answer page by page. What a page is, is in [`crate::pages`].

use std::rc::Rc;

use napi::Unknown;

use crate::{
    binding::{
        host::Host,
        methods::Kind,
        service::Service,
        values::{
            args,
            page_options::{self, PageOptions, no_cursor},
        },
    },
    command::PageOp,
    error::Result,
    options::Store,
    pages::{PageQuery, cursor},
};

impl Service {
    /// Reads a part of the members of a channel on one frontend.
    pub fn page_of_members(
        &self,
        kind: Kind,
        [name, sid, opts]: [Unknown; 3],
        cb: &Unknown,
    ) -> napi::Result<()> {
        let Some(host) = self.admitted(kind, cb)? else {
            return Ok(());
        };
        if host.is_custom() {
            return self.call_custom(&host, kind, cb, [name, sid, opts]);
        }
        let read = match (
            args::text(&name, "name")?,
            args::text(&sid, "sid")?,
            page_options::read(&opts, false)?,
        ) {
            (Ok(name), Ok(sid), Ok(options)) => {
                let key = self.key(&name, &sid);
                key.and_then(|key| self.member_query(key, &options))
            }
            (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => Err(error),
        };
        if let Some(host) = self.pack_page(kind, cb, read)? {
            self.call_frontend(&host, kind, cb)?;
        }
        Ok(())
    }

    /// Lists a part of the channels.
    pub fn page_of_channels(&self, kind: Kind, opts: Unknown, cb: &Unknown) -> napi::Result<()> {
        let Some(host) = self.admitted(kind, cb)? else {
            return Ok(());
        };
        if host.is_custom() {
            return self.call_custom(&host, kind, cb, [opts]);
        }
        let read = match page_options::read(&opts, true)? {
            Ok(options) => {
                let sids = self.counted_sids(&host)?;
                self.channel_query(&options, &sids)
            }
            Err(error) => Err(error),
        };
        if let Some(host) = self.pack_page(kind, cb, read)? {
            self.call(&host, kind, cb)?;
        }
        Ok(())
    }

    /// Returns the frontends that a count of members asks beside those whose keys are found.
    fn counted_sids(&self, host: &Host) -> napi::Result<Vec<String>> {
        let mut sids = host.frontend_ids(&self.env)?;
        sids.extend(self.given_sids());
        sids.sort_unstable();
        sids.dedup();
        Ok(sids)
    }

    pub(super) fn member_query(&self, key: Vec<u8>, options: &PageOptions) -> Result<PageQuery> {
        let seed = cursor::seed(self.store_kind(), PageOp::Members, &[&key]);
        let position = position(seed, options)?;
        Ok(PageQuery::of_members(&key, seed, position, options.limit))
    }

    fn channel_query(&self, options: &PageOptions, sids: &[String]) -> Result<PageQuery> {
        let glob = options.glob.as_deref().unwrap_or("*").as_bytes();
        let mut about = self.keys.stem();
        self.keys.begin(&mut about);
        let seed = cursor::seed(self.store_kind(), PageOp::Channels, &[&about, glob]);
        let position = position(seed, options)?;
        let given = (glob, sids);
        Ok(PageQuery::of_channels(
            &self.keys,
            given,
            seed,
            position,
            options.limit,
        ))
    }

    /// Returns what tells cursors of different kinds of stores apart.
    pub(super) const fn store_kind(&self) -> &'static str {
        match self.options.store {
            Store::Redis(_) => "redis",
            Store::Cluster(_) => "cluster",
            Store::Embedded(_) => "embedded",
        }
    }

    /// Packs a query; returns `None` if its arguments, or the call, were refused.
    fn pack_page(
        &self,
        kind: Kind,
        cb: &Unknown,
        query: Result<PageQuery>,
    ) -> napi::Result<Option<Rc<Host>>> {
        let query = match query {
            Ok(query) => query,
            Err(error) => {
                self.refuse(kind, cb, &error)?;
                return Ok(None);
            }
        };
        // Reading an object may have run a getter.
        let host = self.admitted(kind, cb)?;
        if host.is_some() {
            self.pack_items(query.items());
        }
        Ok(host)
    }
}

/// Reads the position of a cursor.
fn position(seed: u64, options: &PageOptions) -> Result<Option<Vec<u8>>> {
    let Some(text) = &options.cursor else {
        return Ok(None);
    };
    cursor::open(seed, text).map(Some).ok_or_else(no_cursor)
}
