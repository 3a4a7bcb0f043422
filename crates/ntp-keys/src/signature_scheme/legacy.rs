//! Signatures over digests that are broken or too short, for hosts whose certificates have them.

use rsa::Pkcs1v15Sign;

pub(super) fn md5_padding() -> Pkcs1v15Sign {
    Pkcs1v15Sign::new::<md5::Md5>()
}

pub(super) fn sha1_padding() -> Pkcs1v15Sign {
    Pkcs1v15Sign::new::<sha1::Sha1>()
}

pub(super) fn ripemd160_padding() -> Pkcs1v15Sign {
    Pkcs1v15Sign::new::<ripemd::Ripemd160>()
}
