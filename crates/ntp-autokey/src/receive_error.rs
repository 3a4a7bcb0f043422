//! Why a reply was dropped.

use ntp_keys::{CertificateError, SignatureScheme};
use ntp_wire::Timestamp;

use crate::{IdentityError, MessageError, Opcode, Stamp};

/// Why a reply was dropped. Nothing of it has been used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// No MAC with an Autokey key identifier.
    #[error("the reply has no Autokey MAC")]
    NoMac,
    /// A crypto-NAK: the server says that our MAC was wrong.
    #[error("the server says that our MAC is wrong (crypto-NAK): it may have new keys")]
    CryptoNak,
    /// An error field: the server wants us to begin anew.
    #[error("the server answers with an error: it may have new keys")]
    ServerError,
    /// Another key identifier than the request's.
    #[error("the reply's key identifier is not the request's")]
    WrongKeyId,
    /// The key identifier is not in the other host's list, or has been used.
    #[error("the key identifier does not follow from the last one: the list is another")]
    NotInList,
    /// The MAC is wrong.
    #[error("the reply's MAC is wrong: the addresses differ on the way, or the `crypto digest`")]
    BadMac,
    /// Extension fields that cannot be read.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// Not what was asked for, or more than that.
    #[error("the reply is not what was asked for")]
    Unexpected,
    /// No value where there should be one.
    #[error("no answer to {0}: the server's clock is not synchronised, or it does not know")]
    NoValue(Opcode),
    /// A value that has not the length or the form that it should have.
    #[error("the value of the {0} message is malformed")]
    Malformed(Opcode),
    /// The timestamp is zero: nobody signed.
    #[error("the value is not signed: the server's clock is not synchronised")]
    NotSigned,
    /// A value older than one that we have.
    #[error("the value is older than the one at hand")]
    Older,
    /// A timestamp before the filestamp.
    #[error("the value was signed ({timestamp}) before its file was made ({filestamp})")]
    OlderThanItsFile {
        /// When it was signed.
        timestamp: Stamp,
        /// When its file was made.
        filestamp: Stamp,
    },
    /// The group's parameters are of another time.
    #[error(
        "the server's group key was made at {theirs}, our parameters of {group} at {ours}: \
         get the group's file anew from the server"
    )]
    GroupFilestamp {
        /// The name under which the parameters were found.
        group: String,
        /// The server's filestamp.
        theirs: Stamp,
        /// Ours.
        ours: Stamp,
    },
    /// The certificate says that it holds from a time before its file was made.
    #[error("the certificate of {subject} is older than its file")]
    CertificateOlderThanItsFile {
        /// Whom it names.
        subject: String,
    },
    /// A signature scheme that is not known.
    #[error("the server signs with scheme {0}, which is not supported: use RSA, e.g. RSA-SHA256")]
    Scheme(u16),
    /// A signature that has not the length of the key.
    #[error("signature of {found} octets, the server's key makes {expected}")]
    SignatureLength {
        /// Octets of the signature.
        found: usize,
        /// Octets of the modulus.
        expected: usize,
    },
    /// A signature that does not match.
    #[error("the signature does not match: the value is forged, or the server has new keys")]
    Signature,
    /// A certificate that cannot be read.
    #[error("certificate: {0}")]
    Certificate(#[from] CertificateError),
    /// The certificate of another host than the one asked for.
    #[error("asked for the certificate of {wanted}, got that of {found}")]
    ForeignCertificate {
        /// Asked for.
        wanted: String,
        /// Got.
        found: String,
    },
    /// A certificate that its issuer did not sign.
    #[error("the certificate of {subject} is not signed by {issuer}")]
    CertificateSignature {
        /// Whom it names.
        subject: String,
        /// Who should have signed.
        issuer: String,
        /// With what.
        scheme: SignatureScheme,
    },
    /// The trail comes back to where it has been, or does not end.
    #[error("the trail of certificates runs in a loop at {subject}")]
    Loop {
        /// Where.
        subject: String,
    },
    /// The trail ends at a host that is not trusted.
    #[error(
        "{subject} signed its certificate itself, but is no trusted host (ntp-keygen -T), \
         or has not been signed by one yet"
    )]
    NotTrusted {
        /// Where.
        subject: String,
    },
    /// A private certificate (scheme PC), where ours is none.
    #[error(
        "{subject} has a private certificate, so only hosts with the same one can follow it: copy \
         its ntpkey_host_* and ntpkey_cert_* here by a safe way"
    )]
    Private {
        /// Whom it names.
        subject: String,
    },
    /// No private certificate, where ours is one, or one that signs otherwise.
    #[error(
        "our certificate is private (ntp-keygen -P), that of {name} is not the same: give all hosts \
         of the group one key and one certificate, or make ours anew without -P"
    )]
    NotPrivate {
        /// What the server calls itself.
        name: String,
    },
    /// A certificate that has expired.
    #[error("the certificate of {subject} has expired ({}): make a new one there", day(*until))]
    Expired {
        /// Whom it names.
        subject: String,
        /// When it expired.
        until: Timestamp,
    },
    /// A certificate that holds at no time, not yet, or from a time when its issuer's did not hold.
    #[error("the certificate of {subject} does not hold at the time it should")]
    Validity {
        /// Whom it names.
        subject: String,
    },
    /// The cookie cannot be decrypted.
    #[error("the cookie cannot be decrypted with our host key")]
    Cookie,
    /// There is a file of parameters for the group, but it can't be used.
    #[error(
        "the parameters of the group {group} are at hand but can't be used, so the server can't be \
         tested: see the start of ntpd's log for what is wrong with the file"
    )]
    UnusableGroup {
        /// The group.
        group: String,
    },
    /// `ident` names a group whose parameters are not at hand.
    #[error(
        "no parameters of the group {group} are at hand: put ntpkey_iffpar_{group} (or gqpar, mvpar) into keysdir"
    )]
    NoGroup {
        /// The group.
        group: String,
    },
    /// A group is asked for, or its parameters are at hand, but the server does not offer its scheme.
    #[error(
        "the server offers no identity scheme that we have parameters for, but should as a member \
         of the group {group}"
    )]
    NotOffered {
        /// The group.
        group: String,
    },
    /// The challenge was not met.
    #[error("identity of the group {group} not verified: {error}")]
    Identity {
        /// The group.
        group: String,
        /// Why.
        error: IdentityError,
    },
    /// The server bears our own name.
    #[error("the server bears our own name, {0}: give one of them another with ntp-keygen -s")]
    OwnName(String),
    /// The certificate that came back from SIGN is not ours.
    #[error("the certificate that the server signed is not ours")]
    NotOurs,
}

impl ReceiveError {
    /// The event code that ntpq and cryptostats show: 0x101 to 0x10f.
    pub const fn code(&self) -> u16 {
        match self {
            Self::Message(_) | Self::NoValue(_) | Self::Malformed(_) => 0x101,
            Self::NotSigned | Self::Older | Self::OlderThanItsFile { .. } => 0x102,
            Self::GroupFilestamp { .. } | Self::CertificateOlderThanItsFile { .. } => 0x103,
            Self::Scheme(_) => 0x105,
            Self::NotOffered { .. } | Self::Private { .. } | Self::NotPrivate { .. } => 0x106,
            Self::SignatureLength { .. } => 0x107,
            Self::Signature => 0x108,
            Self::CertificateSignature { .. }
            | Self::Loop { .. }
            | Self::NotTrusted { .. }
            | Self::OwnName(_)
            | Self::NotOurs => 0x109,
            Self::Expired { .. } | Self::Validity { .. } => 0x10a,
            Self::Cookie => 0x10b,
            Self::Certificate(_) | Self::ForeignCertificate { .. } => 0x10d,
            Self::NoGroup { .. } | Self::UnusableGroup { .. } | Self::Identity { .. } => 0x10e,
            Self::NoMac
            | Self::CryptoNak
            | Self::ServerError
            | Self::WrongKeyId
            | Self::NotInList
            | Self::BadMac
            | Self::Unexpected => 0x10f,
        }
    }

    /// The words that go with the code, as ntpd 4.2.8 has them.
    pub const fn words(&self) -> &'static str {
        match self.code() {
            0x101 => "bad_field_format_or_length",
            0x102 => "bad_timestamp",
            0x103 => "bad_filestamp",
            0x105 => "unsupported_digest_type",
            0x106 => "unsupported_identity_type",
            0x107 => "bad_signature_length",
            0x108 => "signature_not_verified",
            0x109 => "certificate_not_verified",
            0x10a => "host_certificate_expired",
            0x10b => "bad_or_missing_cookie",
            0x10d => "bad_or_missing_certificate",
            0x10e => "bad_or_missing_group key",
            _ => "protocol_error",
        }
    }

    /// Whether another try from the start may do better: keys and certificates were renewed on the
    /// way, or what came first was forged.
    pub(crate) const fn may_be_of_a_moment(&self) -> bool {
        matches!(
            self,
            Self::CertificateSignature { .. }
                | Self::CertificateOlderThanItsFile { .. }
                | Self::ForeignCertificate { .. }
                | Self::Loop { .. }
                | Self::Validity { .. }
                | Self::Malformed(_)
                | Self::Older
        )
    }

    /// Whether it may mean that the server has forgotten us or has new keys, so that only
    /// beginning anew helps.
    pub(crate) const fn hints_at_new_keys(&self) -> bool {
        matches!(
            self,
            Self::CryptoNak
                | Self::ServerError
                | Self::BadMac
                | Self::Signature
                | Self::SignatureLength { .. }
        )
    }
}

/// The day of `time`, `2026-11-23`.
fn day(time: Timestamp) -> String {
    // Days since 0000-03-01, whose 400 years have 146097 of them (Hinnant's civil_from_days).
    let days = time.to_unix().0.div_euclid(86_400) + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = (shifted_month + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_795_393_189, "2026-11-23"),
            (4_107_542_399, "2100-02-28"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(day(Timestamp::from_unix(seconds, 0)), text);
        }
    }

    #[test]
    fn codes_have_the_words_of_the_reference() {
        let error = ReceiveError::NoGroup {
            group: "server".to_owned(),
        };
        assert_eq!(
            (error.code(), error.words()),
            (0x10e, "bad_or_missing_group key")
        );
        let error = ReceiveError::Scheme(113);
        assert_eq!(
            (error.code(), error.words()),
            (0x105, "unsupported_digest_type")
        );
    }
}
