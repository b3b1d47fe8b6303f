//! Reads a page of channels: keys are looked for, and the members of the channels that they belong to are counted on all
//! frontends.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use super::{Given, Page, PageQuery, PageSource, STEPS, channel_keys::Layout, given::Scan, glob};
use crate::{
    error::{Error, Result},
    keys::{Key, KeyLayout},
};

/// The maximum number of keys that a store looks at in one step.
const WIDEST: usize = 1000;

/// The maximum number of keys that are counted at once.
pub(super) const COUNTED: usize = 1000;

/// A page of channels ends after a step once this many keys were counted, also if it is shorter than its limit.
const WORK: usize = STEPS * COUNTED;

/// The same once it has taken this long.
const LONG: Duration = Duration::from_millis(100);

/// Is told of the members of a channel on a frontend: the name, the frontend and their number, which is not 0.
pub type Tell<'a> = &'a mut (dyn FnMut(&[u8], &[u8], u64) + Send);

/// Reads a page of channels, in at most [`STEPS`] steps, and tells how the members of each are spread.
pub async fn read(
    source: &dyn PageSource,
    query: &PageQuery,
    given: &Given,
    tell: Tell<'_>,
) -> Result<Page> {
    let prefix = String::from_utf8_lossy(query.item(3));
    let keys = KeyLayout::new(&prefix).with_hash_tag(query.item(4) == [1]);
    let layout = Layout::new(&keys);
    let glob = query.item(5);
    let filter = layout.filter(keys.stem(), glob);

    let position = query.position();
    let (token, mut position) = match position.as_deref().and_then(<[u8]>::split_first_chunk) {
        Some((token, position)) => (Some(u64::from_le_bytes(*token)), Some(position.to_vec())),
        None => (None, None),
    };
    let mut scan = given.begin(token);
    let is_new = scan.sids().is_empty();
    scan.know(query.items.iter().skip(6));
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
        let (names, extra) = new_channels(&step.found, &layout, glob, &mut scan);
        width = if names.is_empty() {
            (2 * width).min(per_step(WORK, &scan))
        } else {
            usual(&scan)
        };
        work += names.len() * scan.sids().len() + extra.len();
        let counts = counts(source, &layout, &names, &scan, extra, tell).await?;
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

/// Returns the channels of these keys that are looked for and were not given yet, and the keys of those on frontends that
/// the scan cannot remember, each with the place of its channel.
fn new_channels<'a>(
    found: &'a [Key],
    layout: &Layout,
    glob: &[u8],
    scan: &mut Scan,
) -> (Vec<&'a [u8]>, Vec<(usize, Key)>) {
    let (mut names, mut places) = (Vec::new(), HashMap::new());
    let mut extra = Vec::new();
    for (name, sid) in found.iter().filter_map(|key| layout.parts(key)) {
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
    // Some of them may have come twice.
    extra.sort_unstable();
    extra.dedup();
    (names, extra)
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
    tell: Tell<'_>,
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
        let counts = source.counts(&keys).await?;
        for ((place, key), count) in places.into_iter().zip(&keys).zip(counts) {
            if let Some(sum) = sums.get_mut(place) {
                *sum += count;
            }
            if count > 0
                && let Some(name) = names.get(place)
                && let Some(sid) = layout.sid_in(key, name)
            {
                tell(name, sid, count);
            }
        }
    }
}
