//! Reads a page of the members of a key.

use std::collections::HashSet;

use super::{Page, PageQuery, PageSource, STEPS};
use crate::error::Result;

/// Reads a page of members, in at most [`STEPS`] steps.
pub(super) async fn read(source: &dyn PageSource, query: &PageQuery) -> Result<Page> {
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
