//! The command line.

use clap::{ArgAction, Parser, builder::NonEmptyStringValueParser};
use ntp_keys::{Cipher, SignatureScheme};

const AFTER_HELP: &str = "\
Files are made in the current directory, readable by their owner only. Every run but -e and -M makes \
a new certificate; keys that are there are used again. What is replaced stays there under the name \
with its filestamp.

Passwords: -p opens the key files that are there and protects new ones [default: the host name]. \
With -e, -q protects what is printed. In 2008 -q was the password of the files and -p the one of \
what is printed: if only that reading opens the keys it is taken, and the program says so.

With -e the parameters of the group are printed that its clients need, never the secret of its \
servers. With an export password they are encrypted: for Meridian, and for clients of 2008, whose \
`crypto pw` it must be. ntpd 4.2.6 and later reads parameters without any password: for such \
clients leave out the export password and carry the file by a safe way, since who has it can pass \
for a server of the group.

Others on this machine can see the passwords of a command line while it runs.

Exit codes: 0 all is made; 255 nothing was changed; 2 usage.";

/// Makes the keys, certificates and identity parameters of NTP authentication.
#[derive(Debug, Parser)]
#[command(
    name = "ntp-keygen",
    version = concat!("Meridian ", env!("CARGO_PKG_VERSION")),
    disable_help_flag = true,
    disable_version_flag = true,
    infer_long_args = true,
    after_help = AFTER_HELP
)]
pub(crate) struct Arguments {
    /// Bits of the modulus of an identity group; 512 are made at least
    #[arg(short = 'b', long = "imbits", value_name = "BITS", default_value = "256",
        value_parser = clap::value_parser!(u32).range(256..=2048))]
    pub(crate) group_bits: u32,
    /// Signature scheme of the certificate: RSA-SHA256, RSA-SHA384, RSA-SHA512, RSA-SHA1,
    /// RSA-RIPEMD160 or RSA-MD5; with a DSA key DSA-SHA1 or DSA-SHA [default: that of the one there
    /// is, if the key can do it, else RSA-SHA256 or DSA-SHA1]
    #[arg(short = 'c', long = "certificate", value_name = "SCHEME", value_parser = scheme)]
    pub(crate) scheme: Option<SignatureScheme>,
    /// Cipher of private files: aes-256-cbc, aes-128-cbc or des-ede3-cbc
    #[arg(short = 'C', long, value_name = "CIPHER", default_value = "aes-256-cbc",
        value_parser = cipher)]
    pub(crate) cipher: Cipher,
    /// Accepted for compatibility
    #[arg(short = 'd', long = "debug-level", action = ArgAction::Count)]
    _debug: u8,
    /// Accepted for compatibility
    #[arg(short = 'D', long = "set-debug-level", value_name = "LEVEL")]
    _debug_level: Option<u8>,
    /// Print the parameters of the group for its clients, and change nothing; of several groups the
    /// IFF group's, with -G the GQ group's, with -v those of a client of the MV group
    #[arg(short = 'e', long = "id-key",
        conflicts_with_all = ["host_key", "iff_key", "md5_keys", "sign_key", "mv_clients"])]
    pub(crate) export: bool,
    /// Make a new GQ group, even if there is one
    #[arg(short = 'G', long = "gq-params")]
    pub(crate) gq: bool,
    /// Make a new host key, even if there is one
    #[arg(short = 'H', long = "host-key")]
    pub(crate) host_key: bool,
    /// Make a new IFF group, even if there is one
    #[arg(short = 'I', long = "iffkey")]
    pub(crate) iff_key: bool,
    /// The group [default: that of the certificate there is, else the host name]
    #[arg(short = 'i', long = "ident", value_name = "GROUP")]
    pub(crate) group: Option<String>,
    /// Days for which the certificate holds
    #[arg(short = 'l', long, value_name = "DAYS", default_value = "365",
        value_parser = clap::value_parser!(u32).range(1..=36500))]
    pub(crate) lifetime: u32,
    /// Bits of new keys: RSA 256 to 4096, DSA 512 to 3072 [default: 2048]
    #[arg(short = 'm', long, value_name = "BITS",
        value_parser = clap::value_parser!(u32).range(256..=4096))]
    pub(crate) modulus: Option<u32>,
    /// Make symmetric keys, MD5 and SHA1, and nothing else
    #[arg(short = 'M', long = "md5key")]
    pub(crate) md5_keys: bool,
    /// Make a private certificate (PC scheme)
    #[arg(short = 'P', long = "pvt-cert", conflicts_with = "trusted")]
    pub(crate) private: bool,
    /// Password of the key files [default: the host name]
    #[arg(short = 'p', long, alias = "pvt-passwd", value_name = "PASSWORD",
        value_parser = NonEmptyStringValueParser::new())]
    pub(crate) password: Option<String>,
    /// Password of what -e prints [default: it is not encrypted]
    #[arg(short = 'q', long = "export-passwd", alias = "get-pvt-passwd", value_name = "PASSWORD",
        value_parser = NonEmptyStringValueParser::new())]
    pub(crate) export_password: Option<String>,
    /// Make a new key, RSA or DSA, for signatures, apart from the host key; ntpd 4.2.8 can't do DSA
    #[arg(short = 'S', long = "sign-key", value_name = "KIND", ignore_case = true,
        value_parser = ["RSA", "DSA"])]
    pub(crate) sign_key: Option<String>,
    /// Host name, or host name and group [default: the name of this machine]
    #[arg(short = 's', long = "subject-name", value_name = "HOST[@GROUP]")]
    pub(crate) subject: Option<String>,
    /// Make a trusted certificate: trails end at this host (TC scheme)
    #[arg(short = 'T', long = "trusted-cert")]
    pub(crate) trusted: bool,
    /// Make a new MV group of N clients, 2 to 100, of which the last is revoked
    #[arg(short = 'V', long = "mv-params", value_name = "N",
        value_parser = clap::value_parser!(u32).range(2..=100))]
    pub(crate) mv_clients: Option<u32>,
    /// With -e: print the keys of client N of the MV group
    #[arg(short = 'v', long = "mv-keys", value_name = "N", requires = "export",
        value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) mv_client: Option<u32>,
    /// Print help
    #[arg(short = '?', short_alias = '!', long, alias = "more-help", action = ArgAction::Help)]
    _help: Option<bool>,
    /// Print the version
    #[arg(long, action = ArgAction::Version)]
    _version: Option<bool>,
}

impl Arguments {
    /// Bits of a new RSA key where nothing is said.
    const RSA_BITS: u32 = 2048;

    /// Bits of new RSA keys.
    pub(crate) fn rsa_bits(&self) -> u32 {
        self.modulus.unwrap_or(Self::RSA_BITS)
    }

    /// Whether the new key for signatures is to be DSA.
    pub(crate) fn wants_dsa(&self) -> bool {
        let kind = self.sign_key.as_deref();
        kind.is_some_and(|kind| kind.eq_ignore_ascii_case("DSA"))
    }

    /// Whether all that is asked for can be done.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let limits = DSA_BITS;
        match (self.wants_dsa(), self.scheme) {
            (true, Some(scheme)) if !scheme.is_dsa() => Err(Refusal::OtherScheme(scheme)),
            (true, _) if !limits.contains(&self.rsa_bits()) => {
                Err(Refusal::DsaBits(self.rsa_bits()))
            }
            _ => Ok(()),
        }
    }
}

/// The sizes of DSA keys.
const DSA_BITS: std::ops::RangeInclusive<u32> = 512..=3072;

/// What is asked for and cannot be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("-S DSA with -c {0}: a DSA key signs by -c DSA-SHA1 or DSA-SHA; or leave -c out")]
    OtherScheme(SignatureScheme),
    #[error("-S DSA with -m {0}: DSA keys have 512 to 3072 bits")]
    DsaBits(u32),
}

fn scheme(name: &str) -> Result<SignatureScheme, String> {
    SignatureScheme::from_name(name).ok_or_else(|| {
        let known = SignatureScheme::ALL.map(SignatureScheme::name).join(", ");
        format!("the signature schemes are {known}")
    })
}

fn cipher(name: &str) -> Result<Cipher, String> {
    Cipher::from_name(name).ok_or_else(|| {
        let known = [Cipher::Aes256, Cipher::Aes128, Cipher::TripleDes].map(Cipher::name);
        format!("the ciphers are {}", known.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Arguments {
        Arguments::try_parse_from(line.split(' ')).unwrap()
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn short_and_long_names_are_the_same() {
        for line in [
            "ntp-keygen -T -I -H -p a -q b -m 512 -c rsa-md5 -C DES-EDE3-CBC -l 7 -i g -s h -S rsa",
            "ntp-keygen --trusted-cert --iffkey --host-key --password a --export-passwd=b \
             --modulus=512 --certificate RSA-MD5 --cipher=des-ede3-cbc --lifetime 7 --ident g \
             --subject-name=h --sign-key RSA",
            "ntp-keygen -TIHpa -qb --mod 512 --cert RSA-MD5 --ciph des3 -l7 -ig -sh -SRSA",
        ] {
            let arguments = parse(&line.split_whitespace().collect::<Vec<_>>().join(" "));
            assert!(
                arguments.trusted && arguments.iff_key && arguments.host_key,
                "{line}"
            );
            assert_eq!(arguments.password.as_deref(), Some("a"));
            assert_eq!(arguments.export_password.as_deref(), Some("b"));
            assert_eq!(arguments.rsa_bits(), 512);
            assert_eq!(arguments.scheme, Some(SignatureScheme::RsaMd5));
            assert_eq!(arguments.cipher, Cipher::TripleDes);
            assert_eq!(arguments.lifetime, 7);
            assert_eq!(arguments.group.as_deref(), Some("g"));
            assert_eq!(arguments.subject.as_deref(), Some("h"));
            assert_eq!(arguments.check(), Ok(()));
        }
        assert_eq!(parse("ntp-keygen").rsa_bits(), 2048);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for line in [
            "ntp-keygen -m 255",
            "ntp-keygen -m 4097",
            "ntp-keygen -b 100",
            "ntp-keygen -l 0",
            "ntp-keygen -c RSA-MD2",
            "ntp-keygen -c DSA-SHA256",
            "ntp-keygen -C rot13",
            "ntp-keygen -S ECDSA",
            "ntp-keygen -T -P",
            "ntp-keygen -e -H",
            "ntp-keygen -e -I",
            "ntp-keygen -e -V 3",
            "ntp-keygen -V 1",
            "ntp-keygen -V 101",
            "ntp-keygen -v 3",
            "ntp-keygen -e -v 0",
            "ntp-keygen -p ",
            "ntp-keygen something",
        ] {
            assert!(
                Arguments::try_parse_from(line.split(' ')).is_err(),
                "{line}"
            );
        }
        assert_eq!(parse("ntp-keygen -S dsa").check(), Ok(()));
        assert_eq!(parse("ntp-keygen -S DSA -c dsa-sha").check(), Ok(()));
        for line in [
            "ntp-keygen -S DSA -c RSA-SHA1",
            "ntp-keygen -S DSA -m 256",
            "ntp-keygen -S DSA -m 4096",
        ] {
            assert!(parse(line).check().is_err(), "{line}");
        }
    }
}
