//! AES-SIV-CMAC-256 with a nonce (RFC 5297 section 3): what is sealed, and with what it belongs.

use aes_siv::{KeyInit, Tag, siv::Aes128Siv};

use crate::keys::KEY;

/// Octets of the tag that comes before the sealed text.
pub(crate) const TAG: usize = 16;
/// Octets of the nonces that we make.
pub(crate) const NONCE: usize = 16;

/// A key that is ready for use.
pub(crate) struct Sealer(Aes128Siv);

impl Sealer {
    pub(crate) fn new(key: &[u8; KEY]) -> Self {
        Self(Aes128Siv::new(key.into()))
    }

    /// Seals the text that begins after [`TAG`] octets of `room`, in place.
    pub(crate) fn seal(&mut self, belongs_to: &[u8], nonce: &[u8], room: &mut [u8]) -> Option<()> {
        let (tag, text) = room.split_first_chunk_mut::<TAG>()?;
        let made = self
            .0
            .encrypt_inout_detached([belongs_to, nonce], text.into());
        *tag = made.ok()?.into();
        Some(())
    }

    /// Opens what [`seal`](Self::seal) made, in place: the text, if it is authentic.
    pub(crate) fn open<'a>(
        &mut self,
        belongs_to: &[u8],
        nonce: &[u8],
        room: &'a mut [u8],
    ) -> Option<&'a mut [u8]> {
        let (tag, text) = room.split_first_chunk_mut::<TAG>()?;
        let tag = Tag::from(*tag);
        let opened = self
            .0
            .decrypt_inout_detached([belongs_to, nonce], (&mut *text).into(), &tag);
        opened.ok().map(|()| text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        let text: String = text.split_whitespace().collect();
        let octet = |at: usize| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap();
        core::array::from_fn(octet)
    }

    /// RFC 5297 appendix A.2 has two parts of associated data before the nonce, and NTS one; so
    /// the primitive is checked with three here.
    #[test]
    fn the_vector_of_the_rfc() {
        let key = hex::<32>("7f7e7d7c7b7a79787776757473727170 404142434445464748494a4b4c4d4e4f");
        let first = hex::<40>(
            "00112233445566778899aabbccddeeff deaddadadeaddadaffeeddccbbaa9988 7766554433221100",
        );
        let second = hex::<10>("102030405060708090a0");
        let nonce = hex::<16>("09f911029d74e35bd84156c5635688c0");
        let mut text = *b"this is some plaintext to encrypt using SIV-AES";
        let mut sealer = Sealer::new(&key);
        let tag = sealer
            .0
            .encrypt_inout_detached(
                [&first[..], &second[..], &nonce[..]],
                text.as_mut_slice().into(),
            )
            .unwrap();
        assert_eq!(
            <[u8; 16]>::from(tag),
            hex("7bdb6e3b432667eb06f4d14bff2fbd0f")
        );
        assert_eq!(
            text,
            hex(
                "cb900f2fddbe404326601965c889bf17 dba77ceb094fa663b7a3f748ba8af829
                 ea64ad544a272e9c485b62a3fd5c0d"
            )
        );
    }

    #[test]
    fn what_is_changed_does_not_open() {
        let mut sealer = Sealer::new(&[7; 32]);
        let mut room = [0; TAG + 5];
        room[TAG..].copy_from_slice(b"hello");
        sealer.seal(b"header", b"nonce", &mut room).unwrap();
        let text = sealer
            .open(b"header", b"nonce", &mut room.clone())
            .map(|text| text.to_vec());
        assert_eq!(text.as_deref(), Some(&b"hello"[..]));
        for at in 0..room.len() {
            let mut changed = room;
            changed[at] ^= 1;
            assert!(sealer.open(b"header", b"nonce", &mut changed).is_none());
        }
        assert!(
            sealer
                .open(b"Header", b"nonce", &mut room.clone())
                .is_none()
        );
        assert!(
            sealer
                .open(b"header", b"Nonce", &mut room.clone())
                .is_none()
        );
        assert!(sealer.open(b"header", b"nonce", &mut room[..15]).is_none());
        assert!(
            Sealer::new(&[8; 32])
                .open(b"header", b"nonce", &mut room)
                .is_none()
        );
    }
}
