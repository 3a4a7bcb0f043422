//! Encryption of private keys as older programs do it. That of traditional ones: one pass of MD5 over password and salt makes the
//! key. It slows nobody down who guesses passwords; it is here to read and exchange the files of
//! other programs.

use aes::{Aes128, Aes192, Aes256};
use cbc::{
    Decryptor, Encryptor,
    cipher::{
        BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, KeyInit,
        KeyIvInit, KeySizeUser, block_padding::Pkcs7,
    },
};
use des::{Des, TdesEde3};
use zeroize::Zeroizing;

use super::KeyFileError;
use crate::{DigestAlgorithm, digest};

pub(super) mod pbes1;

/// Decrypts `octets`; `cipher` and `vector` are those of the DEK-Info line.
pub(super) fn decrypt(
    cipher: &str,
    vector: &[u8],
    password: &str,
    octets: &[u8],
) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    match cipher {
        "DES-CBC" => decrypt_by::<Des>(vector, password, octets),
        "DES-EDE3-CBC" => decrypt_by::<TdesEde3>(vector, password, octets),
        "AES-128-CBC" => decrypt_by::<Aes128>(vector, password, octets),
        "AES-192-CBC" => decrypt_by::<Aes192>(vector, password, octets),
        "AES-256-CBC" => decrypt_by::<Aes256>(vector, password, octets),
        other => Err(KeyFileError::UnknownCipher(other.to_owned())),
    }
}

/// Encrypts `octets` by `C` with a fresh `vector` of its block's length.
pub(super) fn encrypt_by<C>(vector: &[u8], password: &str, octets: &[u8]) -> Option<Vec<u8>>
where
    C: BlockCipherEncrypt + KeyInit,
{
    let key = key::<C>(vector, password)?;
    let encryptor = Encryptor::<C>::new_from_slices(&key, vector).ok()?;
    Some(encryptor.encrypt_padded_vec::<Pkcs7>(octets))
}

fn decrypt_by<C>(
    vector: &[u8],
    password: &str,
    octets: &[u8],
) -> Result<Zeroizing<Vec<u8>>, KeyFileError>
where
    C: BlockCipherDecrypt + KeyInit,
{
    let key = key::<C>(vector, password).ok_or(KeyFileError::WrongPassword)?;
    decrypt_with_key::<C>(&key, vector, octets).ok_or(KeyFileError::WrongPassword)
}

/// `None` if the padding is wrong, which is how most wrong passwords show.
fn decrypt_with_key<C>(key: &[u8], vector: &[u8], octets: &[u8]) -> Option<Zeroizing<Vec<u8>>>
where
    C: BlockCipherDecrypt + KeyInit,
{
    let decryptor = Decryptor::<C>::new_from_slices(key, vector).ok()?;
    let plain = decryptor.decrypt_padded_vec::<Pkcs7>(octets).ok()?;
    Some(Zeroizing::new(plain))
}

/// The key that OpenSSL makes of a password (`EVP_BytesToKey` with MD5 and one round): the salt is
/// the first eight octets of the vector. `None` if the vector is shorter.
fn key<C: KeySizeUser>(vector: &[u8], password: &str) -> Option<Zeroizing<Vec<u8>>> {
    let salt = vector.get(..8)?;
    let length = C::key_size();
    let mut key = Zeroizing::new(Vec::with_capacity(length + 16));
    let mut previous = Zeroizing::new(Vec::new());
    while key.len() < length {
        let block = digest(
            DigestAlgorithm::Md5,
            &[&previous, password.as_bytes(), salt],
        );
        previous = Zeroizing::new(block.as_bytes().to_vec());
        key.extend_from_slice(block.as_bytes());
    }
    key.truncate(length);
    Some(key)
}
