//! Pages of long lists: a part of the members of a channel, or of the channels of the store, and a cursor for what
//! follows. What a call asks is a [`PageQuery`]; [`read()`] answers it, from the [`PageSource`] of a connection, in a
//! bounded number of steps. The guarantees are those of Redis's `SCAN`: what is there from the first page to the last
//! comes at least once; what comes or goes meanwhile may be on a page or not.
//!
//! - [`cursor`]: the cursor as text, and what makes one valid.
//! - [`given`]: which channels a scan has given already. A channel has a key for each frontend, and is given once.
//! - [`glob`]: the patterns of channel names, as in Redis.

pub mod cursor;
mod given;
mod glob;
#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::time::Instant;

pub use self::given::Given;
use self::given::Scan;
use crate::{
    command::{PageOp, Reply},
    error::{Error, Result},
    keys::{Key, KeyLayout, pattern},
    list::List,
    manager::Lost,
};

/// The maximum of `limit`.
pub const MOST: usize = 10_000;

/// The number of elements of a page if no `limit` is given.
pub const USUAL: usize = 100;

/// The maximum number of bytes of a glob.
pub const LONGEST_GLOB: usize = 4096;

/// The maximum number of steps of one call, so that it ends soon where hardly anything matches.
const STEPS: usize = 16;

/// The maximum number of keys that a store looks at in one step.
const WIDEST: usize = 1000;

/// The maximum number of keys that are counted at once.
const COUNTED: usize = 1000;

/// A page of channels ends after a step once this many keys were counted, also if it is shorter than its limit.
const WORK: usize = STEPS * COUNTED;

/// The same once it has taken this long.
const LONG: Duration = Duration::from_millis(100);

/// The maximum number of stars in a pattern for a server: before 6.0.18, 6.2.11 and 7.0.9 Redis takes exponential time.
const STARS: usize = 2;

/// Returns whether a text matches a glob, as in Redis.
#[must_use]
pub fn is_match(glob: &[u8], text: &[u8]) -> bool {
    glob::matches(glob, text)
}

/// What a call asks: the items of a page, as they are packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageQuery {
    op: PageOp,
    /// The seed of cursors, the position, the limit, and what depends on the operation.
    items: Vec<Vec<u8>>,
}

impl PageQuery {
    /// Makes a query of the items of [`Self::of_members`] or [`Self::of_channels`].
    #[must_use]
    pub const fn new(op: PageOp, items: Vec<Vec<u8>>) -> Self {
        Self { op, items }
    }

    /// Makes a query for members of a key.
    #[must_use]
    pub fn of_members(key: Key, seed: u64, position: Option<Vec<u8>>, limit: usize) -> Self {
        let items = vec![
            seed.to_le_bytes().to_vec(),
            position.unwrap_or_default(),
            (limit as u64).to_le_bytes().to_vec(),
            key,
        ];
        Self::new(PageOp::Members, items)
    }

    /// Makes a query for channels whose names match a glob. Their members are counted on these frontends, and on those
    /// of the keys that are found.
    #[must_use]
    pub fn of_channels(
        layout: &KeyLayout,
        (glob, sids): (&[u8], &[String]),
        seed: u64,
        position: Option<Vec<u8>>,
        limit: usize,
    ) -> Self {
        let mut items = vec![
            seed.to_le_bytes().to_vec(),
            position.unwrap_or_default(),
            (limit as u64).to_le_bytes().to_vec(),
            layout.prefix().as_bytes().to_vec(),
            vec![u8::from(layout.has_hash_tag())],
            glob.to_vec(),
        ];
        items.extend(sids.iter().map(|sid| sid.as_bytes().to_vec()));
        Self::new(PageOp::Channels, items)
    }

    /// Returns the operation.
    #[must_use]
    pub const fn op(&self) -> PageOp {
        self.op
    }

    /// Returns the items.
    #[must_use]
    pub fn items(&self) -> &[Vec<u8>] {
        &self.items
    }

    fn item(&self, index: usize) -> &[u8] {
        self.items.get(index).map(Vec::as_slice).unwrap_or_default()
    }

    fn number(&self, index: usize) -> u64 {
        let bytes = self.item(index).first_chunk().copied().unwrap_or_default();
        u64::from_le_bytes(bytes)
    }

    fn position(&self) -> Option<Vec<u8>> {
        Some(self.item(1).to_vec()).filter(|position| !position.is_empty())
    }

    fn limit(&self) -> usize {
        usize::try_from(self.number(2)).map_or(MOST, |limit| limit.clamp(1, MOST))
    }

    fn cursor(&self, position: &[u8]) -> String {
        cursor::seal(self.number(0), position)
    }
}

/// A page: the answer to a [`PageQuery`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Members, or the names of channels.
    pub names: Vec<Vec<u8>>,
    /// The number of members of each channel.
    pub counts: Option<Vec<u64>>,
    /// Where the next page begins; `None` after the last one.
    pub cursor: Option<String>,
}

impl Page {
    /// Returns it as JSON: `{"names":[…],"counts":[…] or null,"cursor":"…" or null}`.
    pub fn json(&self) -> Result<String> {
        let names = List::new(&self.names)?;
        let counts = serde_json::to_string(&self.counts);
        let cursor = serde_json::to_string(&self.cursor);
        let (Ok(counts), Ok(cursor)) = (counts, cursor) else {
            return Err(Error::Internal("a page without a text".to_owned()));
        };
        let names = names.json();
        Ok(format!(
            "{{\"names\":{names},\"counts\":{counts},\"cursor\":{cursor}}}"
        ))
    }
}

/// A step of a scan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    /// Members or keys; some may come twice.
    pub found: Vec<Vec<u8>>,
    /// The position of the next step, of the store's own form and never empty; `None` after the last one.
    pub next: Option<Vec<u8>>,
}

/// Which keys a scan of the store looks for. What is found may be more.
#[derive(Debug, Clone)]
pub struct KeyFilter {
    /// What each key begins with.
    pub stem: Key,
    /// The same, and the name, as a pattern for `SCAN`.
    pub pattern: Vec<u8>,
}

/// The future of a step.
pub type StepFuture = BoxFuture<'static, Result<Step>>;

/// A connection, as far as pages are read from it. An [`Error::Disconnected`] means that it is lost.
///
/// A step without a position is the first one. A position from another server, where it means nothing, begins anew.
pub trait PageSource: Send + Sync {
    /// Reads about `count` members of a set.
    fn members(&self, key: &[u8], position: Option<&[u8]>, count: usize) -> StepFuture;

    /// Looks at about `count` keys.
    fn keys(&self, filter: &KeyFilter, position: Option<&[u8]>, count: usize) -> StepFuture;

    /// Returns how many members each set has; 0 where there is no such set.
    fn counts(&self, keys: &[Key]) -> BoxFuture<'static, Result<Vec<u64>>>;
}

/// Reads a page, as the reply of a batch of one call.
pub async fn reply(
    source: Arc<dyn PageSource>,
    query: PageQuery,
    given: Arc<Given>,
) -> std::result::Result<Vec<Result<Reply>>, Lost> {
    match read(&*source, &query, &given).await {
        Err(Error::Disconnected { cause }) => Err(Lost(
            cause.unwrap_or_else(|| "the connection is gone".into()),
        )),
        page => Ok(vec![page.map(Reply::from)]),
    }
}

/// Reads a page.
pub async fn read(source: &dyn PageSource, query: &PageQuery, given: &Given) -> Result<Page> {
    match query.op {
        PageOp::Members => members(source, query).await,
        PageOp::Channels => channels(source, query, given).await,
    }
}

async fn members(source: &dyn PageSource, query: &PageQuery) -> Result<Page> {
    let (limit, mut position) = (query.limit(), query.position());
    let mut seen = HashSet::new();
    let mut names = Vec::new();
    for _ in 0..STEPS {
        let count = limit - names.len();
        let step = source.members(query.item(3), position.as_deref(), count);
        let step = step.await?;
        names.extend(
            step.found
                .into_iter()
                .filter(|name| seen.insert(name.clone())),
        );
        position = step.next;
        if position.is_none() || names.len() >= limit {
            break;
        }
    }
    Ok(Page {
        names,
        counts: None,
        cursor: position.map(|position| query.cursor(&position)),
    })
}

/// Takes apart keys, and makes them.
struct Layout {
    begin: Key,
    separator: Key,
}

impl Layout {
    /// Returns the name of the channel and the frontend.
    fn parts<'a>(&self, key: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        let rest = key.strip_prefix(self.begin.as_slice())?;
        let at = rest
            .windows(self.separator.len())
            .rposition(|part| part == self.separator)?;
        let (name, sid) = rest.split_at(at);
        Some((name, sid.get(self.separator.len()..)?))
    }

    fn key(&self, name: &[u8], sid: &[u8]) -> Key {
        [&self.begin, name, &self.separator, sid].concat()
    }

    fn filter(&self, stem: Key, glob: &[u8]) -> KeyFilter {
        let mut begin = pattern(&self.begin);
        begin.pop();
        let stars = glob::stars(glob);
        // What is found is compared with the glob here, so the pattern may take in more.
        let tail: &[&[u8]] = if stars.last().is_some_and(|last| last + 1 == glob.len()) {
            &[glob]
        } else {
            &[glob, &self.separator, b"*"]
        };
        let count = stars.len() + usize::from(tail.len() > 1);
        let pattern = if !glob::is_closed(glob) || !glob::is_portable(glob) {
            // What is appended would be taken in by a class, or the server may find less than is meant.
            [&begin, &b"*"[..]].concat()
        } else if count > STARS {
            let head = stars.first().and_then(|first| glob.get(..=*first));
            [&begin, head.unwrap_or(b"*")].concat()
        } else {
            [&begin, tail.concat().as_slice()].concat()
        };
        KeyFilter { stem, pattern }
    }
}

async fn channels(source: &dyn PageSource, query: &PageQuery, given: &Given) -> Result<Page> {
    let prefix = String::from_utf8_lossy(query.item(3));
    let keys = KeyLayout::new(&prefix).with_hash_tag(query.item(4) == [1]);
    let mut layout = Layout {
        begin: Key::new(),
        separator: Key::new(),
    };
    keys.begin(&mut layout.begin);
    keys.separate(&mut layout.separator);
    let glob = query.item(5);
    let filter = layout.filter(keys.stem(), glob);

    let position = query.position();
    let (token, mut position) = match position.as_deref().and_then(<[u8]>::split_first_chunk) {
        Some((token, position)) => (Some(u64::from_le_bytes(*token)), Some(position.to_vec())),
        None => (None, None),
    };
    let mut scan = given.begin(token);
    let is_new = scan.sids().is_empty();
    scan.know(query.items.iter().skip(6).map(Vec::as_slice));
    if is_new {
        for sid in index(source, &keys).await? {
            scan.meet(&sid);
        }
    }
    let (limit, begin) = (query.limit(), Instant::now());
    // All keys of a step may be of channels to count. Where hardly any is, steps become wider.
    let per_step = |work: usize, scan: &Scan| (work / scan.sids().len().max(1)).clamp(10, WIDEST);
    let usual = |scan: &Scan| limit.clamp(10, per_step(COUNTED, scan));
    let (mut width, mut work) = (usual(&scan), 0);
    let mut page = (Vec::new(), Vec::new());
    for _ in 0..STEPS {
        let step = source.keys(&filter, position.as_deref(), width).await?;
        let (mut names, mut places) = (Vec::new(), HashMap::new());
        let mut extra = Vec::new();
        for (name, sid) in step.found.iter().filter_map(|key| layout.parts(key)) {
            if glob::matches(glob, name) && !scan.has(name) {
                let place = *places.entry(name).or_insert_with(|| {
                    names.push(name);
                    names.len() - 1
                });
                if !scan.meet(sid) {
                    extra.push((place, layout.key(name, sid)));
                }
            }
        }
        width = if names.is_empty() {
            (2 * width).min(per_step(WORK, &scan))
        } else {
            usual(&scan)
        };
        // Some of them may have come twice.
        extra.sort_unstable();
        extra.dedup();
        work += names.len() * scan.sids().len() + extra.len();
        let counts = counts(source, &layout, &names, &scan, extra).await?;
        for (name, count) in names
            .into_iter()
            .zip(counts)
            .filter(|(_, count)| *count > 0)
        {
            scan.give(name);
            page.0.push(name.to_vec());
            page.1.push(count);
        }
        position = step.next;
        let is_enough = page.0.len() >= limit || work >= WORK || begin.elapsed() >= LONG;
        if position.is_none() || is_enough {
            break;
        }
    }
    let cursor = position.map(|position| {
        let token = scan.end().to_le_bytes();
        query.cursor(&[&token, position.as_slice()].concat())
    });
    Ok(Page {
        names: page.0,
        counts: Some(page.1),
        cursor,
    })
}

/// Reads the index of the frontends; what cannot be read of it is found with the keys.
async fn index(source: &dyn PageSource, keys: &KeyLayout) -> Result<Vec<Vec<u8>>> {
    let (mut sids, mut position) = (Vec::new(), None);
    for _ in 0..STEPS {
        let step = source.members(&keys.index(), position.as_deref(), WIDEST);
        let step = match step.await {
            Err(error @ Error::Disconnected { .. }) => return Err(error),
            step => step.unwrap_or_default(),
        };
        sids.extend(step.found);
        position = step.next;
        if position.is_none() {
            break;
        }
    }
    Ok(sids)
}

/// Counts the members of these channels on all frontends that the scan knows, and in these keys beside them, each with
/// the place of its channel.
async fn counts(
    source: &dyn PageSource,
    layout: &Layout,
    names: &[&[u8]],
    scan: &Scan,
    extra: Vec<(usize, Key)>,
) -> Result<Vec<u64>> {
    let mut sums = vec![0; names.len()];
    // One vector, because an iterator over borrowed names cannot be held while a store answers.
    let mut all = Vec::with_capacity(names.len() * scan.sids().len() + extra.len());
    for (place, name) in names.iter().enumerate() {
        all.extend(scan.sids().iter().map(|sid| (place, layout.key(name, sid))));
    }
    all.extend(extra);
    let mut rest = all.into_iter();
    loop {
        let (places, keys): (Vec<usize>, Vec<Key>) = rest.by_ref().take(COUNTED).unzip();
        if keys.is_empty() {
            return Ok(sums);
        }
        for (place, count) in places.into_iter().zip(source.counts(&keys).await?) {
            if let Some(sum) = sums.get_mut(place) {
                *sum += count;
            }
        }
    }
}
