//! Digests that are broken or too short, for peers that know no better: MD5, SHA-1, RIPEMD-160.

pub(super) use md5::Md5;
pub(super) use ripemd::Ripemd160;
pub(super) use sha1::Sha1;
