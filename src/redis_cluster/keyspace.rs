//! What is not in our layout, for converting it: each hash from the node that has it. Slots that
//! move meanwhile are followed as in [`super::inventory`].

use std::sync::Arc;

use futures_util::{StreamExt as _, TryFutureExt as _, stream::BoxStream};

use super::{
    clean::ask,
    connection::ClusterConnection,
    inventory::{has_moved, owner},
    shared::Shared,
};
use crate::{
    error::{Error, Result},
    keys::Key,
    manager::{Field, Keyspace},
    redis_manager::{ScanError, ScanResult, field_scan, is_no_set, list_fields},
};

impl Keyspace for ClusterConnection {
    fn fields(&self, key: &[u8]) -> BoxStream<'static, Result<Vec<Field>>> {
        let (shared, key) = (self.shared().clone(), key.to_vec());
        let scan = scan(shared.clone(), key.clone()).try_flatten_stream();
        let fields = scan.then(move |step| {
            let (shared, key) = (shared.clone(), key.clone());
            async move {
                match step {
                    Err(ScanError::Refused(error)) if is_no_set(&error) => Ok(Vec::new()),
                    // A cursor means nothing at the next node.
                    Err(ScanError::Refused(error)) if has_moved(&error) => all(&shared, key).await,
                    step => step.map_err(Error::from),
                }
            }
        });
        fields.boxed()
    }
}

async fn scan(
    shared: Arc<Shared>,
    key: Key,
) -> ScanResult<BoxStream<'static, ScanResult<Vec<Field>>>> {
    let connection = owner(&shared, &key).await?;
    Ok(field_scan(connection, shared.commands().clone(), key))
}

/// Reads all fields at once, wherever the key is.
async fn all(shared: &Arc<Shared>, key: Key) -> Result<Vec<Field>> {
    let answers = ask(shared, "HGETALL", &[key]).await.map_err(Error::from)?;
    let Some(answer) = answers.into_iter().next() else {
        return Ok(Vec::new());
    };
    match list_fields(answer?) {
        Err(error) if is_no_set(&error) => Ok(Vec::new()),
        fields => fields,
    }
}
