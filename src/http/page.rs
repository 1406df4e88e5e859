//! Lists, a page at a time.

use axum::Json;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header::LINK;
use axum::response::IntoResponse;
use axum::response::Response;
use serde::Deserialize;
use serde::Serialize;
use utoipa::IntoParams;

use super::Problem;

/// The most that one page holds, and what it holds unless it is asked for fewer.
const MOST: usize = 1000;

/// Which part of a list is asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    /// How many at most; 1000 unless said otherwise.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Where to go on: as the `Link` header of the page before it says.
    after: Option<String>,
}

/// A page, with the way to the next one in its `Link` header (RFC 8288).
#[derive(Debug)]
pub(super) struct Page<T> {
    items: Vec<T>,
    next: Option<String>,
}

impl<T: Serialize> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.items).into_response();
        if let Some(next) = self.next.and_then(|next| HeaderValue::from_str(&next).ok()) {
            response.headers_mut().insert(LINK, next);
        }
        response
    }
}

/// The page of `all` that is asked for. `key` tells one item from all others; a page goes on behind the last item of the
/// page before it, or where that one was if it is gone.
pub(super) fn page<S, T>(
    path: &str,
    all: &[S],
    query: &PageQuery,
    key: impl Fn(&S) -> String,
) -> Result<Page<T>, Problem>
where
    T: for<'a> From<&'a S>,
{
    let limit = query.limit.unwrap_or(MOST);
    if !(1..=MOST).contains(&limit) {
        return Err(bad(format!("limit is a number from 1 to {MOST}")));
    }
    let start = match &query.after {
        None => 0,
        Some(after) => {
            let cursor =
                after.split_once('~').and_then(|(index, key)| Some((index.parse::<usize>().ok()?, key)));
            let (index, last) = cursor.ok_or_else(|| {
                bad("after is no place in this list; take it from the Link header".to_owned())
            })?;
            all.iter().position(|item| key(item) == last).map_or(index, |at| at + 1)
        }
    };
    let rest = all.get(start..).unwrap_or_default();
    let items: Vec<T> = rest.iter().take(limit).map(T::from).collect();
    let next = rest.get(limit - 1).filter(|_| rest.len() > limit).map(|last| {
        let cursor = escaped(&format!("{}~{}", start + limit, key(last)));
        format!("<{path}?limit={limit}&after={cursor}>; rel=\"next\"")
    });
    Ok(Page { items, next })
}

fn bad(detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad_query", detail)
}

/// A text for a query, or for one segment of a path (RFC 3986): all but the unreserved characters escaped.
pub fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |out, b| match b {
        b if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) => out + &char::from(b).to_string(),
        b => out + &format!("%{b:02X}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(all: &[&str], limit: usize, after: Option<&str>) -> (Vec<String>, Option<String>) {
        let query = PageQuery { limit: Some(limit), after: after.map(str::to_owned) };
        let all: Vec<String> = all.iter().map(ToString::to_string).collect();
        let page = page("/x", &all, &query, String::clone).unwrap();
        (page.items, page.next)
    }

    /// The cursor in a link, as a client sends it back.
    fn cursor(next: Option<String>) -> Option<String> {
        Some(next?.split_once("after=")?.1.split_once('>')?.0.to_owned())
    }

    #[test]
    fn pages_lead_from_one_to_the_next_until_there_is_no_more() {
        let all = ["a", "b", "c", "d", "e"];
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let (items, next) = of(&all, 2, after.as_deref());
            seen.extend(items);
            after = cursor(next);
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, all);
        assert_eq!(of(&all, 5, None).1, None);
        assert_eq!(of(&[], 5, None), (Vec::new(), None));
    }

    #[test]
    fn what_comes_and_goes_between_two_pages_neither_repeats_nor_hides_the_others() {
        let after = cursor(of(&["a", "b", "c", "d"], 2, None).1).unwrap();
        assert_eq!(of(&["b", "c", "d"], 2, Some(&after)).0, ["c", "d"], "an earlier one went");
        assert_eq!(of(&["0", "a", "b", "c"], 2, Some(&after)).0, ["c"], "an earlier one came");
        assert_eq!(of(&["a", "x", "c", "d"], 2, Some(&after)).0, ["c", "d"], "the last one itself went");
        assert_eq!(of(&["a"], 2, Some(&after)).0, [""; 0], "all went");
    }

    #[test]
    fn a_link_is_safe_whatever_a_name_holds() {
        let (_, next) = of(&["a b>\"ü", "c"], 1, None);
        assert_eq!(next.unwrap(), "</x?limit=1&after=1~a%20b%3E%22%C3%BC>; rel=\"next\"");
    }

    #[test]
    fn nonsense_is_refused() {
        for (limit, after) in [(Some(0), None), (Some(1001), None), (None, Some("x")), (None, Some("-1~x"))] {
            let query = PageQuery { limit, after: after.map(str::to_owned) };
            let refused = page::<_, String>("/x", &["a".to_owned()], &query, String::clone);
            assert_eq!(refused.unwrap_err().status, 400, "{query:?}");
        }
    }
}
