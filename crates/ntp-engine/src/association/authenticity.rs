//! Whether a packet is from whom it says.

use std::net::IpAddr;

use ntp_discipline::Now;
use ntp_nts::AnswerError;
use ntp_wire::control::Flash;
use ntp_wire::{Packet, Trailer};

use super::{Endpoint, Security, Server};
use crate::authority::Authority;

/// What authentication found.
#[derive(Clone, Copy)]
pub(super) struct Verified {
    /// A key proves whose packet it is; always false where none was asked for.
    pub(super) proven: bool,
    pub(super) time_usable: bool,
}

/// Why a packet is not believed to be from whom it says.
pub(super) struct NotAuthentic {
    pub(super) flash: Flash,
    pub(super) why: String,
}

/// How a packet came.
#[derive(Clone, Copy)]
pub(super) enum Way {
    /// To us; `answers` says whether it passed the tests of the on-wire protocol.
    Direct { answers: bool },
    /// To this address of many.
    ToMany(IpAddr),
}

/// Whether `packet` is authentic as `security` wants it.
pub(super) fn authenticate(
    server: &mut Server,
    security: &Security,
    (endpoint, way): (Endpoint, Way),
    packet: &Packet<'_>,
    now: Now,
    authority: &mut Authority<'_>,
) -> Result<Verified, NotAuthentic> {
    let failed = |why: &str| NotAuthentic {
        flash: Flash::AUTHENTICATION,
        why: why.into(),
    };
    match security {
        Security::None if packet.trailer() == Trailer::CryptoNak => {
            Err(failed("a crypto-NAK, though no key is configured"))
        }
        Security::None => Ok(Verified {
            proven: false,
            time_usable: true,
        }),
        Security::Key(wanted) => match packet.trailer() {
            Trailer::Mac { key_id, digest } if key_id == *wanted => {
                let entry = authority.keys.trusted(key_id).ok_or_else(|| {
                    failed("the key is not in the keys file or not named by trustedkey")
                })?;
                if !entry.allows(endpoint.remote.ip()) {
                    return Err(failed(
                        "the keys file does not allow the key for this address",
                    ));
                }
                if !entry.key().verify(packet.authenticated(), digest) {
                    return Err(failed("the MAC is wrong: the keys differ"));
                }
                Ok(Verified {
                    proven: true,
                    time_usable: true,
                })
            }
            Trailer::Mac { .. } => Err(failed("the reply is made with another key")),
            Trailer::CryptoNak => Err(failed(
                "crypto-NAK: the server does not know or trust the key",
            )),
            Trailer::None => Err(failed("the reply has no MAC")),
        },
        Security::Nts(_) => {
            let received = server
                .nts
                .as_mut()
                .map_or(Err(AnswerError::Missing), |nts| nts.receive(packet));
            match received {
                Ok(()) => Ok(Verified {
                    proven: true,
                    time_usable: true,
                }),
                Err(error) => Err(failed(&error.to_string())),
            }
        }
        Security::Autokey { .. } => {
            let mut exchange = authority.exchange(endpoint, now);
            let (Some(autokey), Some(host)) = (&mut server.autokey, authority.host.as_deref_mut())
            else {
                return Err(failed("Autokey is not set up: see the crypto directive"));
            };
            let groups = authority.groups;
            let received = match way {
                Way::ToMany(many) => {
                    exchange.local = many;
                    autokey.hear(host, &exchange, packet)
                }
                Way::Direct { answers } if server.role.is_symmetric() => {
                    autokey.receive_from_peer(host, &exchange, groups, packet, answers)
                }
                Way::Direct { .. } => autokey.receive(host, &exchange, groups, packet),
            };
            match received {
                Ok(received) => Ok(Verified {
                    proven: autokey.is_proventic(),
                    time_usable: received.time_usable,
                }),
                Err(error) => Err(NotAuthentic {
                    flash: Flash::CRYPTO,
                    why: format!("{error} ({:#x} {})", error.code(), error.words()),
                }),
            }
        }
    }
}
