//! The extension fields of NTS (RFC 8915 section 5).

use ntp_wire::ExtensionField;

use crate::seal::{NONCE, Sealer, TAG};

pub(crate) const UNIQUE_IDENTIFIER: u16 = 0x0104;
pub(crate) const COOKIE: u16 = 0x0204;
pub(crate) const PLACEHOLDER: u16 = 0x0304;
pub(crate) const AUTHENTICATOR: u16 = 0x0404;

/// The shortest unique identifier.
pub(crate) const IDENTIFIER: usize = 32;

/// Octets of an authenticator around what it seals.
pub(crate) const AUTHENTICATOR_LENGTH: usize = ExtensionField::HEAD + 4 + NONCE + TAG;

/// Where a field ends that begins at `at` in a packet that is being written.
pub(crate) fn write(room: &mut [u8], at: usize, kind: u16, body: &[u8]) -> Option<usize> {
    let end = at + ExtensionField::HEAD + body.len();
    let field = room.get_mut(at..end)?;
    let (head, rest) = field.split_first_chunk_mut()?;
    *head = head_of(kind, end - at)?;
    rest.copy_from_slice(body);
    Some(end)
}

/// Type and length.
pub(crate) fn head_of(kind: u16, length: usize) -> Option<[u8; 4]> {
    let [a, b] = kind.to_be_bytes();
    let [c, d] = u16::try_from(length).ok()?.to_be_bytes();
    Some([a, b, c, d])
}

/// Writes the authenticator of the packet that `room` begins with, `at` octets of it, around
/// `sealed` octets that lie where they belong, [`AUTHENTICATOR_LENGTH`] further on. Where it ends.
pub(crate) fn write_authenticator(
    sealer: &Sealer,
    nonce: &[u8; NONCE],
    room: &mut [u8],
    at: usize,
    sealed: usize,
) -> Option<usize> {
    let length = AUTHENTICATOR_LENGTH + sealed;
    let (packet, rest) = room.split_at_mut_checked(at)?;
    let field = rest.get_mut(..length)?;
    let (head, field) = field.split_first_chunk_mut::<4>()?;
    let (lengths, field) = field.split_first_chunk_mut::<4>()?;
    let (room, sealed_room) = field.split_first_chunk_mut::<NONCE>()?;
    *head = head_of(AUTHENTICATOR, length)?;
    *lengths = head_of(NONCE as u16, TAG + sealed)?;
    *room = *nonce;
    sealer.seal(packet, nonce, sealed_room)?;
    Some(at + length)
}

/// What an authenticator holds.
#[derive(Clone, Copy)]
pub(crate) struct Authenticator<'a> {
    pub(crate) nonce: &'a [u8],
    /// Tag and what is sealed.
    pub(crate) sealed: &'a [u8],
}

impl<'a> Authenticator<'a> {
    /// That of a field with this body, if it is well formed.
    pub(crate) fn parse(body: &'a [u8]) -> Option<Self> {
        let (&[a, b, c, d], rest) = body.split_first_chunk()?;
        let nonce_length = usize::from(u16::from_be_bytes([a, b]));
        let sealed_length = usize::from(u16::from_be_bytes([c, d]));
        let (nonce, rest) = padded(rest, nonce_length)?;
        let (sealed, padding) = padded(rest, sealed_length)?;
        // A short nonce is made up for, so that an answer with a long one has room.
        let is_long_enough = nonce_length.next_multiple_of(4) + padding.len() >= NONCE;
        (is_long_enough && sealed_length >= TAG).then_some(Self { nonce, sealed })
    }
}

/// The first `length` octets, and what follows the padding after them.
fn padded(bytes: &[u8], length: usize) -> Option<(&[u8], &[u8])> {
    let (value, _) = bytes.split_at_checked(length)?;
    let rest = bytes.get(length.next_multiple_of(4)..)?;
    Some((value, rest))
}

/// The extension fields that lie in what was sealed; it stops at what is none.
pub(crate) fn fields(mut bytes: &[u8]) -> impl Iterator<Item = ExtensionField<'_>> {
    core::iter::from_fn(move || {
        let (&[a, b, c, d], _) = bytes.split_first_chunk()?;
        let length = usize::from(u16::from_be_bytes([c, d]));
        let (field, rest) = bytes.split_at_checked(length)?;
        bytes = rest;
        Some(ExtensionField {
            kind: u16::from_be_bytes([a, b]),
            body: field.get(ExtensionField::HEAD..)?,
        })
    })
}
