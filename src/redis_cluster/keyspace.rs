//! What is not in our layout, for converting it: each hash from the node that has it. Slots that
//! move meanwhile are followed as in [`super::inventory`].

use futures_util::stream::BoxStream;

use super::{connection::ClusterConnection, inventory::Contents};
use crate::{
    error::Result,
    manager::{Field, Keyspace},
    redis_manager::{field_scan, list_fields},
};

static FIELDS: Contents<Field> = Contents {
    scan: field_scan,
    command: "HGETALL",
    list: list_fields,
};

impl Keyspace for ClusterConnection {
    fn fields(&self, key: &[u8]) -> BoxStream<'static, Result<Vec<Field>>> {
        FIELDS.stream(self.shared().clone(), key.to_vec())
    }
}
