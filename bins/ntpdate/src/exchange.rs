//! One request and the answer to it: bytes in, bytes out.

use std::net::IpAddr;

use ntp_wire::{
    Duration, Header, KissCode, Leap, Mode, Packet, PacketError, PollExponent, Precision,
    ShortDuration, Timestamp, Version, WireTimestamp,
};

use crate::credential::Credential;

/// A request that was sent and not yet answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    /// What the request had as its transmit timestamp: a random number, which the server gives
    /// back. It tells nobody the time of this clock, and nobody can guess it.
    pub(crate) nonce: WireTimestamp,
    /// When it was sent, by the clock that may be set.
    pub(crate) sent: Timestamp,
}

/// An answer that belongs to a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    /// What the server says.
    pub(crate) header: Header,
    /// The server's time minus ours.
    pub(crate) offset: Duration,
    /// The round trip.
    pub(crate) delay: Duration,
    /// When the answer left, by the server's clock.
    pub(crate) transmitted: Timestamp,
    /// When the request left, by our clock.
    pub(crate) sent: Timestamp,
    /// Whether it is authenticated, or need not be.
    pub(crate) is_trusted: bool,
}

/// Why a datagram is no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("{0}")]
    Malformed(#[from] PacketError),
    #[error("mode {} stratum {}", *.0 as u8, .1)]
    NotFromServer(Mode, u8),
    #[error("pkt.org and peer.xmt differ")]
    WrongOrigin,
    #[error("zero timestamp")]
    ZeroTime,
    #[error("kiss code {0:?}")]
    Kiss(KissCode),
    #[error("a refusal that is not authenticated")]
    NotAuthentic,
}

/// The bytes of a request.
pub(crate) fn request(
    version: Version,
    nonce: WireTimestamp,
    credential: Option<&Credential>,
) -> Vec<u8> {
    // Beyond mode and version nothing depends on the header; this is what ntpdate always sent.
    let header = Header {
        leap: Leap::Unsynchronised,
        version,
        mode: Mode::Client,
        poll: PollExponent::FASTEST,
        precision: Precision::new(-6),
        root_delay: ShortDuration::from_bits(1 << 16),
        root_dispersion: ShortDuration::from_bits(1 << 16),
        transmit_time: nonce,
        ..Header::default()
    };
    let mut bytes = [0; Header::LENGTH];
    header.emit(&mut bytes);
    let mut packet = bytes.to_vec();
    if let Some(credential) = credential {
        credential.sign(&mut packet);
    }
    packet
}

/// What a datagram says that came from `server` at `arrival`, while `pending` was unanswered.
///
/// The origin is checked before all else, so that who cannot see the request can say nothing, not
/// even "go away".
pub(crate) fn judge(
    data: &[u8],
    pending: &Pending,
    arrival: Timestamp,
    server: IpAddr,
    credential: Option<&Credential>,
) -> Result<Answer, Refusal> {
    let packet = Packet::parse(data)?;
    let header = *packet.header();
    if header.origin_time != pending.nonce {
        return Err(Refusal::WrongOrigin);
    }
    let is_trusted = credential.is_none_or(|credential| credential.verifies(&packet, server));
    let stratum = header.stratum.value();
    // Who can't make the MAC can't end the waiting either.
    let final_word = |refusal| {
        if is_trusted {
            refusal
        } else {
            Refusal::NotAuthentic
        }
    };
    // A symmetric passive answer is what some old servers give.
    if !matches!(header.mode, Mode::Server | Mode::SymmetricPassive) || stratum >= 16 {
        return Err(final_word(Refusal::NotFromServer(header.mode, stratum)));
    }
    if let Some(code) = header.kiss_code() {
        return Err(final_word(Refusal::Kiss(code)));
    }
    if header.receive_time.is_zero() || header.transmit_time.is_zero() {
        return Err(Refusal::ZeroTime);
    }
    let pivot = pending.sent.max(SOFTWARE_IS_YOUNGER);
    let received = header.receive_time.near(pivot);
    let transmitted = header.transmit_time.near(pivot);
    let there = received - pending.sent;
    let back = transmitted - arrival;
    Ok(Answer {
        header,
        // The mean, so written that not even half a century overflows.
        offset: there + (back - there) / 2,
        delay: (arrival - pending.sent) - (transmitted - received),
        transmitted,
        sent: pending.sent,
        is_trusted,
    })
}

/// 2026-01-01. A machine whose clock shows 1970 for want of a battery would else take the time of
/// 2038 for that of 1902.
const SOFTWARE_IS_YOUNGER: Timestamp = Timestamp::from_unix(1_767_225_600, 0);

#[cfg(test)]
mod tests {
    use ntp_wire::{KeyId, ReferenceId, Stratum};

    use super::*;

    const SERVER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const NONCE: WireTimestamp = WireTimestamp::from_bits(0x0123_4567_89ab_cdef);

    /// The answer of a server that is `ahead` milliseconds ahead, 10 ms away each way, and takes
    /// 2 ms.
    fn answered(
        sent: Timestamp,
        ahead: i32,
        change: impl FnOnce(&mut Header),
    ) -> Result<Answer, Refusal> {
        let receive = sent + Duration::from_millis(10) + Duration::from_millis(ahead);
        let mut header = Header {
            leap: Leap::None,
            mode: Mode::Server,
            stratum: Stratum::new(2),
            origin_time: NONCE,
            receive_time: receive.to_wire(),
            transmit_time: (receive + Duration::from_millis(2)).to_wire(),
            ..Header::default()
        };
        change(&mut header);
        let mut data = [0; Header::LENGTH];
        header.emit(&mut data);
        let pending = Pending { nonce: NONCE, sent };
        judge(
            &data,
            &pending,
            sent + Duration::from_millis(22),
            SERVER,
            None,
        )
    }

    fn now() -> Timestamp {
        Timestamp::from_unix(1_795_393_189, 0)
    }

    fn is_close(duration: Duration, milliseconds: i64) -> bool {
        (duration.to_nanos() - milliseconds * 1_000_000).abs() < 10
    }

    #[test]
    fn offset_and_delay_are_those_of_the_rfc() {
        for ahead in [0, 1234, -1234] {
            let answer = answered(now(), ahead, |_| {}).unwrap();
            assert!(is_close(answer.offset, ahead.into()), "{answer:?}");
            assert!(is_close(answer.delay, 20), "{answer:?}");
            assert!(answer.is_trusted);
        }
    }

    #[test]
    fn a_clock_of_1970_learns_the_right_century() {
        // 2041, which is nearer to 1970 if taken for 1905.
        let truth = Timestamp::from_unix(2_240_611_200, 0);
        let answer = answered(Timestamp::UNIX_EPOCH, 0, |header| {
            header.receive_time = truth.to_wire();
            header.transmit_time = truth.to_wire();
        })
        .unwrap();
        assert_eq!(answer.transmitted, truth);
        assert_eq!(answer.offset, Duration::MAX);
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let refusal = |change: fn(&mut Header)| answered(now(), 0, change).unwrap_err();
        assert_eq!(
            refusal(|header| header.origin_time = WireTimestamp::from_bits(1)),
            Refusal::WrongOrigin
        );
        // Even a kiss of death needs the nonce.
        assert_eq!(
            refusal(|header| {
                header.origin_time = WireTimestamp::ZERO;
                header.stratum = Stratum::UNSPECIFIED;
            }),
            Refusal::WrongOrigin
        );
        assert_eq!(
            refusal(|header| header.mode = Mode::Client).to_string(),
            "mode 3 stratum 2"
        );
        assert_eq!(
            refusal(|header| header.stratum = Stratum::UNSYNCHRONISED).to_string(),
            "mode 4 stratum 16"
        );
        assert_eq!(
            refusal(|header| header.receive_time = WireTimestamp::ZERO),
            Refusal::ZeroTime
        );
        assert_eq!(
            refusal(|header| header.transmit_time = WireTimestamp::ZERO),
            Refusal::ZeroTime
        );
        assert_eq!(
            refusal(|header| {
                header.stratum = Stratum::UNSPECIFIED;
                header.reference_id = ReferenceId::from_text("RATE");
            }),
            Refusal::Kiss(KissCode::Rate)
        );
        let pending = Pending {
            nonce: NONCE,
            sent: now(),
        };
        assert!(matches!(
            judge(&[0; 47], &pending, now(), SERVER, None),
            Err(Refusal::Malformed(_))
        ));
    }

    #[test]
    fn a_refusal_must_be_authenticated_where_a_key_is_asked_for() {
        let credential = Credential::of(KeyId::new(1), "1 MD5 sesame\n");
        let other = Credential::of(KeyId::new(1), "1 MD5 mesase\n");
        let pending = Pending {
            nonce: NONCE,
            sent: now(),
        };
        let refusal = |change: fn(&mut Header), signer: Option<&Credential>| {
            let mut header = Header {
                mode: Mode::Server,
                origin_time: NONCE,
                ..Header::default()
            };
            change(&mut header);
            let mut data = [0; Header::LENGTH];
            header.emit(&mut data);
            let mut data = data.to_vec();
            if let Some(signer) = signer {
                signer.sign(&mut data);
            }
            judge(&data, &pending, now(), SERVER, Some(&credential)).unwrap_err()
        };
        let kiss: fn(&mut Header) = |header| header.reference_id = ReferenceId::from_text("DENY");
        let silent: fn(&mut Header) = |header| header.stratum = Stratum::UNSYNCHRONISED;
        for refused in [kiss, silent] {
            assert_eq!(refusal(refused, None), Refusal::NotAuthentic);
            assert_eq!(refusal(refused, Some(&other)), Refusal::NotAuthentic);
        }
        assert_eq!(
            refusal(kiss, Some(&credential)),
            Refusal::Kiss(KissCode::Deny)
        );
        assert_eq!(
            refusal(silent, Some(&credential)),
            Refusal::NotFromServer(Mode::Server, 16)
        );
    }

    #[test]
    fn a_request_is_what_ntpdate_always_sent() {
        let packet = request(Version::V4, NONCE, None);
        let (head, rest) = packet.split_at(12);
        assert_eq!(head, b"\xe3\x00\x03\xfa\x00\x01\x00\x00\x00\x01\x00\x00");
        assert_eq!(rest[..28], [0; 28]);
        assert_eq!(rest[28..], NONCE.to_be_bytes());
    }
}
