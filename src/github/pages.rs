//! Listings: every page or an error, and nothing read twice that has not changed.
//!
//! <https://docs.github.com/rest/using-the-rest-api/using-pagination-in-the-rest-api>,
//! <https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests-if-appropriate>

use std::any::Any;
use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;

use http::Method;
use http::StatusCode;
use http::header;

use super::GitHubError;
use super::address::next_link;
use super::call::Call;
use super::credential::Credential;
use super::credential::lock;
use super::wire::Entries;
use crate::model::Scope;

/// Pages that are remembered for each credential: 512 pages of 100 runners are about 15 MiB at the very most, and few
/// installations have more than some dozen.
const CACHE_MAX: usize = 512;
/// GitHub holds at most 10,000 runners in a group; a listing that goes on and on is broken.
const PAGES_MAX: usize = 1000;

/// What is listed, and how its pages are read.
pub(super) struct Listing<T> {
    /// The path of the first page, with `per_page`.
    pub(super) path: String,
    pub(super) kind: &'static str,
    pub(super) label: String,
    pub(super) what: String,
    pub(super) read: fn(&[u8]) -> Result<Entries<T>, String>,
    pub(super) id: fn(&T) -> u64,
}

/// A page as it was read.
struct Page<T> {
    items: Vec<T>,
    total: Option<u64>,
    next: Option<String>,
}

/// The generation of the token that a tag was given to, and the tag.
type Tag = (u64, String);

/// Pages with their tags, the least recently used forgotten first.
#[derive(Default)]
pub(super) struct PageCache {
    pages: HashMap<String, CachedPage>,
    uses: u64,
}

struct CachedPage {
    etag: String,
    generation: u64,
    page: Arc<dyn Any + Send + Sync>,
    used: u64,
}

impl PageCache {
    fn get<T: Send + Sync + 'static>(&mut self, target: &str) -> Option<(Tag, Arc<Page<T>>)> {
        self.uses += 1;
        let cached = self.pages.get_mut(target)?;
        cached.used = self.uses;
        let page = cached.page.clone().downcast().ok()?;
        Some(((cached.generation, cached.etag.clone()), page))
    }

    fn put<T: Send + Sync + 'static>(&mut self, target: String, (generation, etag): Tag, page: Arc<Page<T>>) {
        if self.pages.len() >= CACHE_MAX && !self.pages.contains_key(&target) {
            let oldest =
                self.pages.iter().min_by_key(|(_, page)| page.used).map(|(target, _)| target.clone());
            oldest.and_then(|target| self.pages.remove(&target));
        }
        self.uses += 1;
        self.pages.insert(target, CachedPage { etag, generation, page, used: self.uses });
    }
}

/// What reading a listing cost.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cost {
    /// Requests.
    pub(super) requests: u32,
    /// Of those, the ones that were answered in full, and so counted against the hourly budget.
    pub(super) full: u32,
}

impl Cost {
    pub(super) fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.full += other.full;
    }
}

/// One walk through all pages.
struct Walk<T> {
    items: Vec<T>,
    cost: Cost,
    /// The smallest and the largest total that the pages named.
    totals: Option<(u64, u64)>,
}

impl<T> Walk<T> {
    /// Whether nothing came or went while it was read: all pages name one total, and so many entries were seen. An entry
    /// that goes moves those behind it one place forward, over the edge of a page that was read already.
    fn undisturbed(&self) -> bool {
        self.totals.is_none_or(|(low, high)| low == high && self.items.len() as u64 == high)
    }

    fn missing(&self) -> Option<(u64, u64)> {
        let (_, high) = self.totals?;
        let seen = self.items.len() as u64;
        (seen < high).then_some((seen, high))
    }
}

impl Credential {
    /// All entries of a listing: complete, or an error. If something came or went between two pages it is read once more.
    pub(super) async fn list_all<T>(&self, scope: &Scope, listing: &Listing<T>) -> Result<Vec<T>, GitHubError>
    where
        T: Clone + Send + Sync + 'static,
    {
        let mut walk = self.walk(scope, listing, &self.cache, true).await?;
        if !walk.undisturbed() {
            walk = self.walk(scope, listing, &self.cache, false).await?;
        }
        match walk.missing() {
            None => Ok(walk.items),
            Some((seen, total)) => Err(listing
                .call(String::new())
                .malformed(format!("it names {total} entries and lists {seen}"))),
        }
    }

    /// All entries of a listing whose pages are remembered apart, and what that cost. If something came or went between
    /// two pages it is read once more; then the pages are believed, whatever total they name, since GitHub's totals of
    /// filtered listings run behind.
    pub(super) async fn list_apart<T>(
        &self,
        scope: &Scope,
        listing: &Listing<T>,
        cache: &Mutex<PageCache>,
    ) -> Result<(Vec<T>, Cost), GitHubError>
    where
        T: Clone + Send + Sync + 'static,
    {
        let mut walk = self.walk(scope, listing, cache, true).await?;
        if !walk.undisturbed() {
            let first = walk.cost;
            walk = self.walk(scope, listing, cache, true).await?;
            walk.cost.add(first);
        }
        Ok((walk.items, walk.cost))
    }

    async fn walk<T>(
        &self,
        scope: &Scope,
        listing: &Listing<T>,
        cache: &Mutex<PageCache>,
        conditional: bool,
    ) -> Result<Walk<T>, GitHubError>
    where
        T: Clone + Send + Sync + 'static,
    {
        let mut walk = Walk { items: Vec::new(), cost: Cost::default(), totals: None };
        let (mut known, mut visited) = (HashSet::new(), HashSet::new());
        let mut target = Some(listing.path.clone());
        while let Some(this) = target {
            if visited.len() >= PAGES_MAX || !visited.insert(this.clone()) {
                return Err(listing.call(this).malformed("its pages never end"));
            }
            let (page, fresh) = self.page(scope, listing, cache, this, conditional).await?;
            walk.cost.add(Cost { requests: 1, full: u32::from(fresh) });
            walk.items.extend(page.items.iter().filter(|item| known.insert((listing.id)(item))).cloned());
            if let Some(total) = page.total {
                let (low, high) = walk.totals.unwrap_or((total, total));
                walk.totals = Some((low.min(total), high.max(total)));
            }
            target = page.next.clone();
        }
        Ok(walk)
    }

    /// One page, and whether it was answered in full.
    async fn page<T>(
        &self,
        scope: &Scope,
        listing: &Listing<T>,
        cache: &Mutex<PageCache>,
        target: String,
        conditional: bool,
    ) -> Result<(Arc<Page<T>>, bool), GitHubError>
    where
        T: Send + Sync + 'static,
    {
        let mut call = listing.call(target);
        let cached = if conditional { lock(cache).get::<T>(&call.target) } else { None };
        call.etag = cached.as_ref().map(|(tag, _)| tag.clone());
        let (answer, generation) = self.send_as(scope, &call).await?;
        if answer.status == StatusCode::NOT_MODIFIED {
            return match cached {
                Some((_, page)) => Ok((page, false)),
                None => Err(call.malformed("it says \"not modified\" of what was never read")),
            };
        }
        let (items, total) = (listing.read)(&answer.body).map_err(|why| call.malformed(why))?;
        let links = answer.headers.get_all(header::LINK);
        let next = next_link(links.iter().filter_map(|value| value.to_str().ok())).map(str::to_owned);
        let page = Arc::new(Page { items, total, next });
        if let Some(etag) = answer.header("etag") {
            lock(cache).put(call.target, (generation, etag.to_owned()), page.clone());
        }
        Ok((page, true))
    }
}

impl<T> Listing<T> {
    pub(super) fn call(&self, target: String) -> Call {
        Call::new(Method::GET, self.kind, target, self.label.clone(), self.what.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_forgets_what_was_not_used() {
        let mut cache = PageCache::default();
        let page = || Arc::new(Page::<u8> { items: vec![], total: None, next: None });
        for n in 0..CACHE_MAX {
            cache.put(n.to_string(), (0, "tag".to_owned()), page());
        }
        assert!(cache.get::<u8>("0").is_some());
        cache.put("more".to_owned(), (0, "tag".to_owned()), page());
        assert_eq!(cache.pages.len(), CACHE_MAX);
        assert!(cache.get::<u8>("0").is_some());
        assert!(cache.get::<u8>("1").is_none());
        assert!(cache.get::<u16>("0").is_none(), "another kind of page is no page");
    }

    #[test]
    fn a_walk_tells_whether_something_moved() {
        let walk = |items: usize, totals| Walk { items: vec![(); items], cost: Cost::default(), totals };
        assert!(walk(3, Some((3, 3))).undisturbed());
        assert!(walk(3, None).undisturbed());
        assert!(!walk(149, Some((149, 150))).undisturbed());
        assert_eq!(walk(149, Some((149, 150))).missing(), Some((149, 150)));
        assert!(!walk(151, Some((150, 151))).undisturbed());
        assert_eq!(walk(151, Some((150, 151))).missing(), None);
    }
}
