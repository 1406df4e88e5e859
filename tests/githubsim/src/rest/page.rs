//! Pages of a listing, and the links between them.

use super::context::Call;
use super::reply::Reply;
use serde_json::Value;
use serde_json::json;

/// One page of `items` as `{"total_count": …, KEY: […]}`, with the `Link` header.
pub(crate) fn listing<T>(call: &Call, key: &str, items: &[T], shape: impl Fn(&T) -> Value) -> Reply {
    let (page, links) = cut(call, items);
    let page: Vec<Value> = page.iter().map(shape).collect();
    linked(Reply::ok(json!({ "total_count": items.len(), key: page })), links)
}

/// One page of `items` as a bare array, with the `Link` header.
pub(crate) fn array<T>(call: &Call, items: &[T], shape: impl Fn(&T) -> Value) -> Reply {
    let (page, links) = cut(call, items);
    linked(Reply::ok(page.iter().map(shape).collect()), links)
}

fn linked(reply: Reply, links: String) -> Reply {
    if links.is_empty() { reply } else { reply.with("link", links) }
}

fn cut<'a, T>(call: &Call, items: &'a [T]) -> (&'a [T], String) {
    let number = |name: &str| call.parameter(name).and_then(|v| v.parse::<usize>().ok()).filter(|n| *n > 0);
    let size = number("per_page").unwrap_or(30).min(100);
    let page = number("page").unwrap_or(1);
    let last = items.len().div_ceil(size).max(1);
    let start = items.len().min(size.saturating_mul(page - 1));
    let end = items.len().min(start + size);
    (&items[start..end], links(call, page, last))
}

fn links(call: &Call, page: usize, last: usize) -> String {
    let link = |to: usize, rel: &str| {
        let mut query: Vec<String> = call
            .query
            .iter()
            .filter(|(k, _)| k != "page")
            .map(|(k, v)| format!("{}={}", escaped(k), escaped(v)))
            .collect();
        query.push(format!("page={to}"));
        format!("<{}{}?{}>; rel=\"{rel}\"", call.api, call.path, query.join("&"))
    };
    let mut links = Vec::new();
    if page > 1 {
        links.push(link((page - 1).min(last), "prev"));
    }
    if page < last {
        links.push(link(page + 1, "next"));
        links.push(link(last, "last"));
    }
    if page > 1 {
        links.push(link(1, "first"));
    }
    links.join(", ")
}

/// A text with everything escaped that is not plain.
pub(crate) fn escaped(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(query: &[(&str, &str)]) -> Call {
        Call {
            method: "GET".into(),
            path: "/orgs/acme/actions/runners".into(),
            query: query.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
            headers: axum::http::HeaderMap::new(),
            body: bytes::Bytes::new(),
            api: "http://api".into(),
            web: "http://api".into(),
            service: "http://api".into(),
        }
    }

    #[test]
    fn the_middle_page_links_all_ways() {
        let items: Vec<usize> = (0..5).collect();
        let reply = listing(&call(&[("per_page", "2"), ("page", "2")]), "runners", &items, |i| json!(i));
        assert_eq!(reply.body.unwrap(), json!({ "total_count": 5, "runners": [2, 3] }));
        let link = &reply.headers[0].1;
        for rel in ["prev", "next", "last", "first"] {
            assert!(link.contains(&format!("rel=\"{rel}\"")), "{link}");
        }
        assert!(link.contains("per_page=2&page=3>; rel=\"next\""), "{link}");
    }

    #[test]
    fn one_page_has_no_links_and_a_page_past_the_end_is_empty() {
        let items = [1, 2];
        assert!(listing(&call(&[]), "x", &items, |i| json!(i)).headers.is_empty());
        let past = listing(&call(&[("page", "9")]), "x", &items, |i| json!(i));
        assert_eq!(past.body.unwrap()["x"], json!([]));
    }
}
