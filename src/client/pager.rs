//! A list, page after page, whoever carries the requests.

use super::ClientError;
use super::answer::Answer;
use super::request::List;
use super::request::Request;
use super::request::Sheet;

/// The most pages of one list: a million items, as the daemon cuts them.
const MAX_PAGES: usize = 1000;

/// How far a list has been read.
pub(super) struct Pager<P> {
    next: Option<Request>,
    read: fn(&[u8]) -> Result<P, ClientError>,
    left: usize,
}

impl<P: Sheet> Pager<P> {
    pub(super) fn new(list: List<P>) -> Self {
        Self { next: Some(list.first.request), read: list.first.read, left: MAX_PAGES }
    }

    /// What has to be asked for the next page; nothing where there is none.
    ///
    /// # Errors
    /// There are more pages than any list has. Nothing follows.
    pub(super) fn next(&mut self) -> Option<Result<Request, ClientError>> {
        let next = self.next.take()?;
        if self.left == 0 {
            let target = next.target();
            return Some(Err(ClientError::Malformed(format!("{target}: the list has no end"))));
        }
        self.left -= 1;
        Some(Ok(next))
    }

    /// The items of the answer to that.
    ///
    /// # Errors
    /// It is a refusal, or no page. Nothing follows.
    pub(super) fn turn(&mut self, asked: &Request, answer: Answer) -> Result<Vec<P::Item>, ClientError> {
        let answer = answer.accepted()?;
        let page = (self.read)(&answer.body)?;
        let (items, next) = page.turn(asked, answer.link.as_deref());
        self.next = next;
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::client::call;
    use crate::http::dto;

    fn page(link: Option<&str>) -> Answer {
        Answer { status: StatusCode::OK, link: link.map(str::to_owned), body: "[]".into() }
    }

    #[test]
    fn a_list_without_an_end_comes_to_one() {
        let mut pager: Pager<Vec<dto::Pool>> = Pager::new(call::pools());
        let mut pages = 0;
        let ended = loop {
            match pager.next().unwrap() {
                Ok(asked) => drop(pager.turn(&asked, page(Some("/api/v1/pools?after=x"))).unwrap()),
                Err(why) => break why,
            }
            pages += 1;
        };
        assert_eq!(pages, MAX_PAGES);
        assert!(ended.to_string().contains("no end"), "{ended}");
        assert!(pager.next().is_none());
    }

    #[test]
    fn nothing_follows_a_page_that_was_not_had() {
        let mut pager: Pager<Vec<dto::Pool>> = Pager::new(call::pools());
        let asked = pager.next().unwrap().unwrap();
        let refused = Answer { status: StatusCode::BAD_GATEWAY, ..page(None) };
        assert!(pager.turn(&asked, refused).is_err());
        assert!(pager.next().is_none());
    }
}
