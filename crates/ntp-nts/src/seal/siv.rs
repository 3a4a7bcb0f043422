//! AES-SIV (RFC 5297) with two keys of 128 bits, made for many short messages: what depends on the
//! keys alone is worked out once, and the blocks of a message go through the cipher in one go.

use aes::{
    Aes128, Block,
    cipher::{
        BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser, KeyInit,
        consts::U16,
    },
};

use zeroize::Zeroize;

use crate::keys::KEY;

/// Octets of a block.
const BLOCK: usize = 16;

/// Both keys. Blocks are numbers here, the first octet the highest.
#[derive(Clone)]
pub(super) struct Siv {
    /// For the tag.
    mac: Aes128,
    /// For the text.
    cipher: Aes128,
    subkeys: Subkeys,
}

/// What depends on the key of the tag alone.
#[derive(Clone, Default)]
struct Subkeys {
    /// What CMAC adds to the last block, if it is whole (RFC 4493 section 2.3).
    whole: u128,
    /// And if it is not.
    padded: u128,
    /// The CMAC of a block of zeros, which each tag begins with.
    start: u128,
}

impl Siv {
    pub(super) fn new(key: &[u8; KEY]) -> Self {
        let mut halves = [[0; BLOCK]; 2];
        for (to, from) in halves.as_flattened_mut().iter_mut().zip(key) {
            *to = *from;
        }
        let [mac, cipher] = halves.map(|half| Aes128::new(&half.into()));
        let mut subkeys = Subkeys::default();
        mac.encrypt_with_backend(Prepare(&mut subkeys));
        Self {
            mac,
            cipher,
            subkeys,
        }
    }

    /// The tag of `text` and what it belongs to (section 2.4).
    pub(super) fn tag<const PARTS: usize>(
        &self,
        belongs_to: [&[u8]; PARTS],
        text: &[u8],
    ) -> [u8; BLOCK] {
        let mut tag = 0;
        self.mac.encrypt_with_backend(Tag {
            siv: self,
            belongs_to,
            text,
            tag: &mut tag,
        });
        tag.to_be_bytes()
    }

    /// Encrypts `text`, or decrypts it (section 2.5).
    pub(super) fn apply_keystream(&self, tag: &[u8; BLOCK], text: &mut [u8]) {
        /// Two bits are not counted, so that counters need not carry beyond 32.
        const COUNTED: u128 = !((1 << 63) | (1 << 31));
        if !text.is_empty() {
            self.cipher.encrypt_with_backend(Keystream {
                counter: u128::from_be_bytes(*tag) & COUNTED,
                text,
            });
        }
    }
}

impl Drop for Subkeys {
    fn drop(&mut self) {
        self.whole.zeroize();
        self.padded.zeroize();
        self.start.zeroize();
    }
}

struct Prepare<'a>(&'a mut Subkeys);

struct Tag<'a, const PARTS: usize> {
    siv: &'a Siv,
    belongs_to: [&'a [u8]; PARTS],
    text: &'a [u8],
    tag: &'a mut u128,
}

struct Keystream<'a> {
    counter: u128,
    text: &'a mut [u8],
}

impl BlockSizeUser for Prepare<'_> {
    type BlockSize = U16;
}

impl<const PARTS: usize> BlockSizeUser for Tag<'_, PARTS> {
    type BlockSize = U16;
}

impl BlockSizeUser for Keystream<'_> {
    type BlockSize = U16;
}

impl BlockCipherEncClosure for Prepare<'_> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        let subkeys = self.0;
        subkeys.whole = double(encrypt(backend, 0));
        subkeys.padded = double(subkeys.whole);
        subkeys.start = encrypt(backend, subkeys.whole);
    }
}

impl<const PARTS: usize> BlockCipherEncClosure for Tag<'_, PARTS> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        let subkeys = &self.siv.subkeys;
        let mut sum = subkeys.start;
        for part in self.belongs_to {
            sum = double(sum) ^ cmac(backend, subkeys, part, 0);
        }
        *self.tag = if self.text.len() >= BLOCK {
            cmac(backend, subkeys, self.text, sum)
        } else {
            let block = double(sum) ^ padded(self.text);
            encrypt(backend, block ^ subkeys.whole)
        };
    }
}

impl BlockCipherEncClosure for Keystream<'_> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        let mut counter = self.counter;
        for block in self.text.chunks_mut(BLOCK) {
            let stream = encrypt(backend, counter).to_be_bytes();
            block
                .iter_mut()
                .zip(stream)
                .for_each(|(octet, key)| *octet ^= key);
            counter = counter.wrapping_add(1);
        }
    }
}

#[inline(always)]
fn encrypt<B: BlockCipherEncBackend<BlockSize = U16>>(backend: &B, block: u128) -> u128 {
    let mut block = Block::from(block.to_be_bytes());
    backend.encrypt_block((&mut block).into());
    u128::from_be_bytes(block.into())
}

/// Multiplies by x in the field of 128 bits (section 2.3).
#[inline(always)]
const fn double(block: u128) -> u128 {
    (block << 1) ^ (0x87 & (block >> 127).wrapping_neg())
}

/// The octets, fewer than a block, a one, and zeros.
#[inline(always)]
fn padded(octets: &[u8]) -> u128 {
    let mut block = [0; BLOCK];
    for (to, from) in block.iter_mut().zip(octets.iter().chain(&[0x80])) {
        *to = *from;
    }
    u128::from_be_bytes(block)
}

/// The CMAC of `message`, to whose last 16 octets `end` is added; a shorter one takes zero.
#[inline(always)]
fn cmac<B: BlockCipherEncBackend<BlockSize = U16>>(
    backend: &B,
    subkeys: &Subkeys,
    message: &[u8],
    end: u128,
) -> u128 {
    // The last block is never empty, but for an empty message.
    let whole = message.len().saturating_sub(1) / BLOCK;
    let (blocks, last) = message.split_at(whole * BLOCK);
    let (blocks, _) = blocks.as_chunks::<BLOCK>();
    let mut state = 0;
    if let Some((before, rest)) = blocks.split_last() {
        for block in rest {
            state = encrypt(backend, state ^ u128::from_be_bytes(*block));
        }
        // What of the end does not lie in the last block, lies in the one before.
        let end = end.checked_shr(8 * last.len() as u32).unwrap_or(0);
        state = encrypt(backend, state ^ end ^ u128::from_be_bytes(*before));
    }
    let end = end
        .checked_shl(8 * (BLOCK - last.len()) as u32)
        .unwrap_or(0);
    let last = match last.try_into() {
        Ok(block) => u128::from_be_bytes(block) ^ subkeys.whole,
        Err(_) => padded(last) ^ subkeys.padded,
    };
    encrypt(backend, state ^ end ^ last)
}
