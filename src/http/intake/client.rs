//! Whose request it is: the address at the other end, or the one that a trusted proxy names.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;

use axum::http::request::Parts;
use ipnet::IpNet;

use super::receive::peer;

/// The client's address. What stands in `X-Forwarded-For` is the word of whoever sent it: each proxy adds the address that
/// it saw at the end, so that the last one that is no trusted proxy's is the last that can be believed.
pub(super) fn address(head: &Parts, trusted: &[IpNet]) -> IpAddr {
    let peer = peer(head).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    if !is_in(peer, trusted) {
        return peer;
    }
    let values = head.headers.get_all("x-forwarded-for").iter().rev();
    let mut seen = peer;
    for value in values {
        for text in value.to_str().unwrap_or_default().rsplit(',') {
            let Some(address) = parse(text.trim()) else { return seen };
            seen = address;
            if !is_in(address, trusted) {
                return address;
            }
        }
    }
    seen
}

/// Some proxies write the port, too.
fn parse(text: &str) -> Option<IpAddr> {
    let address = text.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|a| a.ip()));
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    address.ok().or_else(bracketed).map(|address: IpAddr| address.to_canonical())
}

/// Whether an address is in one of some networks.
pub(super) fn is_in(address: IpAddr, networks: &[IpNet]) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use axum::extract::Request;

    use super::super::Peer;
    use super::*;

    fn seen(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut request = Request::builder();
        for value in forwarded {
            request = request.header("X-Forwarded-For", *value);
        }
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        head.extensions.insert(Peer(peer.parse().unwrap()));
        let trusted: Vec<IpNet> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        address(&head, &trusted).to_string()
    }

    #[test]
    fn nobody_is_believed_who_is_not_trusted() {
        assert_eq!(seen("10.0.0.1", &["1.2.3.4"], &[]), "10.0.0.1");
        assert_eq!(seen("192.0.2.7", &["1.2.3.4"], &["10.0.0.0/8"]), "192.0.2.7");
        assert_eq!(seen("10.0.0.1", &["1.2.3.4"], &["10.0.0.0/8"]), "1.2.3.4");
    }

    #[test]
    fn what_the_client_wrote_himself_does_not_count() {
        let trusted = &["10.0.0.0/8"];
        assert_eq!(seen("10.0.0.1", &["140.82.1.1, 6.6.6.6"], trusted), "6.6.6.6");
        assert_eq!(seen("10.0.0.1", &["140.82.1.1", "6.6.6.6, 10.0.0.2"], trusted), "6.6.6.6");
        assert_eq!(seen("10.0.0.1", &["140.82.1.1, nonsense"], trusted), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &[], trusted), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &["10.0.0.3"], trusted), "10.0.0.3");
    }

    #[test]
    fn addresses_are_read_as_proxies_write_them() {
        for (written, read) in [
            ("1.2.3.4:567", "1.2.3.4"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("::ffff:1.2.3.4", "1.2.3.4"),
        ] {
            assert_eq!(seen("10.0.0.1", &[written], &["10.0.0.0/8"]), read);
        }
    }
}
