//! Values that are asked for once and then kept, by key.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use tokio::time::Instant;

/// Keeps a value for each key. Whoever comes while it is being fetched waits for that one fetch and shares its outcome, a
/// failure too.
pub(super) struct Shelf<K, V, E> {
    places: Mutex<HashMap<K, Shared<V, E>>>,
}

type Shared<V, E> = Arc<tokio::sync::Mutex<Place<V, E>>>;

struct Place<V, E> {
    value: Option<V>,
    failed: Option<(Instant, E)>,
}

/// A value, and whether it was fetched for this very call.
pub(super) struct Got<V> {
    pub(super) value: V,
    pub(super) just_read: bool,
}

impl<K: Eq + Hash, V: Clone, E: Clone> Shelf<K, V, E> {
    pub(super) fn new() -> Self {
        Self { places: Mutex::new(HashMap::new()) }
    }

    fn place(&self, key: K) -> Shared<V, E> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let empty = || Arc::new(tokio::sync::Mutex::new(Place { value: None, failed: None }));
        places.entry(key).or_insert_with(empty).clone()
    }

    /// The kept value if it is still good, else a fetched one.
    pub(super) async fn get(
        &self,
        key: K,
        good: impl Fn(&V) -> bool,
        fetch: impl Future<Output = Result<V, E>>,
    ) -> Result<Got<V>, E> {
        let came = Instant::now();
        let place = self.place(key);
        let mut place = place.lock().await;
        if let Some(value) = place.value.as_ref().filter(|v| good(v)) {
            return Ok(Got { value: value.clone(), just_read: false });
        }
        if let Some((_, error)) = place.failed.as_ref().filter(|(at, _)| *at > came) {
            return Err(error.clone());
        }
        match fetch.await {
            Ok(value) => {
                *place = Place { value: Some(value.clone()), failed: None };
                Ok(Got { value, just_read: true })
            }
            Err(error) => {
                *place = Place { value: None, failed: Some((Instant::now(), error.clone())) };
                Err(error)
            }
        }
    }

    /// Forgets a key's value if it is such a one.
    pub(super) async fn forget(&self, key: K, such: impl Fn(&V) -> bool) {
        let place = self.place(key);
        let mut place = place.lock().await;
        if place.value.as_ref().is_some_and(such) {
            place.value = None;
        }
    }

    /// Forgets everything; fetches under way end as they are.
    pub(super) fn clear(&self) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_ask_and_one_fetches() {
        let shelf: Shelf<&str, u32, &str> = Shelf::new();
        let fetches = AtomicU32::new(0);
        let ask = |outcome: Result<u32, &'static str>| {
            let fetches = &fetches;
            shelf.get("a", |_| true, async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                fetches.fetch_add(1, Ordering::Relaxed);
                outcome
            })
        };
        let all = futures_util::future::join_all((0..5).map(|_| ask(Err("no")))).await;
        assert!(all.iter().all(|r| matches!(r, Err("no"))));
        assert_eq!(fetches.load(Ordering::Relaxed), 1, "a failure is shared");

        tokio::time::sleep(Duration::from_millis(1)).await;
        let all = futures_util::future::join_all((0..5).map(|_| ask(Ok(7)))).await;
        assert!(all.iter().all(|r| matches!(r, Ok(Got { value: 7, .. }))));
        assert_eq!(fetches.load(Ordering::Relaxed), 2);

        shelf.forget("a", |v| *v == 8).await;
        assert!(!ask(Ok(9)).await.ok().unwrap().just_read);
        shelf.forget("a", |v| *v == 7).await;
        assert!(ask(Ok(9)).await.ok().unwrap().just_read);
    }
}
