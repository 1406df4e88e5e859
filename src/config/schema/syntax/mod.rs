//! The forms of single texts, each with words for what was expected and for what is wrong.

mod container;
mod image;
mod net;
mod place;
mod when;

pub(crate) use container::*;
pub(crate) use image::*;
pub(crate) use net::*;
pub(crate) use place::*;
pub(crate) use when::*;

/// Whether a text is not empty and made of ASCII letters, digits and `extra` alone.
fn is_word(text: &str, extra: &[u8]) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || extra.contains(&b))
}

/// Fails with words unless something holds.
fn require(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

/// No control characters: they do not survive environments, headers and logs.
fn printable(text: &str) -> Result<(), String> {
    require(!text.chars().any(char::is_control), || format!("{text:?} holds a control character"))
}
