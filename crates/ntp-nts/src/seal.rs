//! AES-SIV-CMAC-256 with a nonce (RFC 5297 section 3): what is sealed, and with what it belongs.

mod siv;

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use self::siv::Siv;
use crate::keys::KEY;

/// Octets of the tag that comes before the sealed text.
pub(crate) const TAG: usize = 16;
/// Octets of the nonces that we make.
pub(crate) const NONCE: usize = 16;

/// A key that is ready for use.
#[derive(Clone)]
pub(crate) struct Sealer(Siv);

impl Sealer {
    pub(crate) fn new(key: &[u8; KEY]) -> Self {
        Self(Siv::new(key))
    }

    /// Seals the text that begins after [`TAG`] octets of `room`, in place.
    pub(crate) fn seal(&self, belongs_to: &[u8], nonce: &[u8], room: &mut [u8]) -> Option<()> {
        let (tag, text) = room.split_first_chunk_mut::<TAG>()?;
        *tag = self.0.tag([belongs_to, nonce], text);
        self.0.apply_keystream(tag, text);
        Some(())
    }

    /// Opens what [`seal`](Self::seal) made, in place: the text, if it is authentic; else the room
    /// for it is cleared.
    pub(crate) fn open<'a>(
        &self,
        belongs_to: &[u8],
        nonce: &[u8],
        room: &'a mut [u8],
    ) -> Option<&'a mut [u8]> {
        let (tag, text) = room.split_first_chunk_mut::<TAG>()?;
        self.0.apply_keystream(tag, text);
        let expected = self.0.tag([belongs_to, nonce], text);
        if bool::from(expected.ct_eq(tag)) {
            return Some(text);
        }
        text.zeroize();
        None
    }
}

#[cfg(test)]
mod tests {
    use aes_siv::{KeyInit, siv::Aes128Siv};
    use proptest::{collection, prelude::*};

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
        let siv = Siv::new(&key);
        let tag = siv.tag([&first[..], &second[..], &nonce[..]], &text);
        siv.apply_keystream(&tag, &mut text);
        assert_eq!(tag, hex("7bdb6e3b432667eb06f4d14bff2fbd0f"));
        assert_eq!(
            text,
            hex(
                "cb900f2fddbe404326601965c889bf17 dba77ceb094fa663b7a3f748ba8af829
                 ea64ad544a272e9c485b62a3fd5c0d"
            )
        );
    }

    proptest! {
        /// Against another's implementation; every length of the last block.
        #[test]
        fn it_is_aes_siv(
            key: [u8; KEY],
            first in collection::vec(any::<u8>(), 0..70),
            second in collection::vec(any::<u8>(), 0..40),
            text in collection::vec(any::<u8>(), 0..150),
        ) {
            let parts = [&first[..], &second[..]];
            let mut expected = text.clone();
            let tag = Aes128Siv::new(&key.into())
                .encrypt_inout_detached(parts, expected.as_mut_slice().into())
                .unwrap();
            let mut room = [&[0; TAG][..], &text].concat();
            let sealer = Sealer::new(&key);
            sealer.seal(&first, &second, &mut room).unwrap();
            prop_assert_eq!(&room[..TAG], tag.as_slice());
            prop_assert_eq!(&room[TAG..], expected);
            let opened = sealer.open(&first, &second, &mut room).map(|text| text.to_vec());
            prop_assert_eq!(opened, Some(text));
        }
    }

    #[test]
    fn what_is_changed_does_not_open() {
        let sealer = Sealer::new(&[7; 32]);
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
