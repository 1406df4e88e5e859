//! Records that come from elsewhere, all at once: an older history, or a benchmark's.

use super::place::Place;
use super::store::Store;
use crate::model::history::Record;

/// The most records of one transaction.
const BATCH: usize = 1000;

/// Writes all of it, while no daemon has the database open.
///
/// # Errors
/// The database says no; says why. What was written before stays.
pub async fn write_all(
    place: Place,
    instance: &str,
    records: impl IntoIterator<Item = Record>,
) -> Result<(), String> {
    let mut store = Store::open(place, instance).await.map_err(|trouble| trouble.text)?;
    let mut records = records.into_iter();
    loop {
        let batch: Vec<Record> = records.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            break;
        }
        store.write(&batch).await.map_err(|trouble| trouble.text)?;
    }
    store.close().await;
    Ok(())
}
