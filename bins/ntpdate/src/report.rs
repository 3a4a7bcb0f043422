//! The lines that ntpdate is known for.

use std::net::Ipv4Addr;

use jiff::{Timestamp as CivilTimestamp, tz::TimeZone};
use ntp_wire::{Duration, ReferenceId, Stratum, Timestamp, WireTimestamp};

use crate::{exchange::Answer, server::Server};

/// What a server said: on one line, or with all there is to know. `None` if it said nothing.
pub(crate) fn server(server: &Server, in_full: bool) -> Option<String> {
    let answer = server.best()?;
    Some(if in_full {
        in_detail(server, answer)
    } else {
        format!(
            "server {}, stratum {}, offset {}, delay {}",
            server.address.ip(),
            answer.header.stratum,
            offset(answer.offset),
            delay(answer.delay)
        )
    })
}

/// What was done with the clock, or would have been.
pub(crate) fn adjustment(steps: bool, server: &Server, by: Duration) -> String {
    format!(
        "{} time server {} offset {} sec",
        if steps { "step" } else { "adjust" },
        server.address.ip(),
        offset(by)
    )
}

fn in_detail(server: &Server, answer: &Answer) -> String {
    let header = &answer.header;
    let time = |time: WireTimestamp| {
        let civil = time.near(answer.transmitted);
        format!("{time}  {}", civil_time(civil))
    };
    format!(
        "\nserver {}, port {}\n\
         stratum {}, precision {}, leap {:02b}, trust {:03o}\n\
         refid [{}], root delay {:.6}, root dispersion {:.6}\n\
         reference time:      {}\n\
         originate timestamp: {}\n\
         transmit timestamp:  {}\n\
         delay {}, dispersion {:.5}, offset {}\n",
        server.address.ip(),
        server.address.port(),
        header.stratum,
        header.precision.value(),
        header.leap as u8,
        u8::from(!answer.is_trusted),
        reference(header.reference_id, header.stratum),
        header.root_delay.to_duration().to_seconds_f64(),
        header.root_dispersion.to_duration().to_seconds_f64(),
        time(header.reference_time),
        time(header.transmit_time),
        time(answer.sent.to_wire()),
        delay(answer.delay),
        server.jitter().to_seconds_f64(),
        offset(answer.offset),
    )
}

/// With its sign, in microseconds.
fn offset(offset: Duration) -> String {
    format!("{:+.6}", offset.to_seconds_f64())
}

fn delay(delay: Duration) -> String {
    format!("{:.5}", delay.to_seconds_f64())
}

/// Letters for a primary server, an address for the others.
fn reference(id: ReferenceId, stratum: Stratum) -> String {
    match id.as_text() {
        Some(text) if stratum <= Stratum::PRIMARY => text.to_owned(),
        _ => Ipv4Addr::from(id.to_bytes()).to_string(),
    }
}

/// `Mon, Nov 23 2026  1:26:05.404`, in the machine's time zone.
fn civil_time(time: Timestamp) -> String {
    let (seconds, nanoseconds) = time.to_unix();
    match CivilTimestamp::new(seconds, (nanoseconds / 1_000_000 * 1_000_000) as i32) {
        Ok(time) => time
            .to_zoned(TimeZone::system())
            .strftime("%a, %b %e %Y %k:%M:%S.%3f")
            .to_string(),
        Err(_) => "beyond the calendar".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use ntp_wire::{Header, Leap, Monotonic, Precision, ShortDuration};

    use super::*;
    use crate::exchange::Pending;

    fn example() -> Server {
        let transmitted = WireTimestamp::from_bits(0xeeae_14b0_8b66_01bc);
        let transmitted = transmitted.near(Timestamp::from_unix(1_795_393_189, 0));
        let sent = WireTimestamp::from_bits(0xeeae_14b0_8b57_62db).near(transmitted);
        let mut server = Server::new("10.99.0.1:123".parse().unwrap(), Monotonic::START);
        let pending = Pending {
            nonce: WireTimestamp::from_bits(1),
            sent,
        };
        server.was_asked(pending, Monotonic::START, std::time::Duration::ZERO);
        let answer = Answer {
            header: Header {
                leap: Leap::None,
                stratum: Stratum::new(2),
                precision: Precision::new(-24),
                root_dispersion: ShortDuration::from_bits(62_103),
                reference_id: ReferenceId::from_bytes([127, 127, 1, 0]),
                reference_time: WireTimestamp::from_bits(0xeeae_14ad_67a2_f1eb),
                transmit_time: transmitted.to_wire(),
                ..Header::default()
            },
            offset: Duration::from_nanos(-10_000),
            delay: Duration::from_nanos(25_770_000),
            transmitted,
            sent,
            is_trusted: true,
        };
        server.take(Ok(answer), 1);
        server
    }

    #[test]
    fn a_server_is_one_line() {
        assert_eq!(
            server(&example(), false).unwrap(),
            "server 10.99.0.1, stratum 2, offset -0.000010, delay 0.02577"
        );
        let silent = Server::new("10.99.0.1:123".parse().unwrap(), Monotonic::START);
        assert_eq!(server(&silent, false), None);
        assert_eq!(
            adjustment(true, &example(), Duration::from_millis(-37_000)),
            "step time server 10.99.0.1 offset -37.000000 sec"
        );
        assert_eq!(
            adjustment(false, &example(), Duration::ZERO),
            "adjust time server 10.99.0.1 offset +0.000000 sec"
        );
    }

    /// As ntpdate 4.2.8 printed it for the same server, in UTC.
    #[test]
    fn or_all_there_is_to_know() {
        let text = server(&example(), true).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[1], "server 10.99.0.1, port 123");
        assert_eq!(lines[2], "stratum 2, precision -24, leap 00, trust 000");
        assert_eq!(
            lines[3],
            "refid [127.127.1.0], root delay 0.000000, root dispersion 0.947617"
        );
        let (label, time) = lines[4].split_at(40);
        assert_eq!(label, "reference time:      eeae14ad.67a2f1eb  ");
        let civil = time.split_once(", ").unwrap().1;
        assert_eq!(civil.len(), "Nov 23 2026  1:26:05.404".len());
        assert!(civil.ends_with(":05.404"), "{civil}");
        assert!(lines[5].starts_with("originate timestamp: eeae14b0.8b6601bc  "));
        assert!(lines[6].starts_with("transmit timestamp:  eeae14b0.8b5762db  "));
        assert_eq!(
            lines[7],
            "delay 0.02577, dispersion 0.00000, offset -0.000010"
        );
        assert_eq!(lines.len(), 8);
    }

    #[test]
    fn references_are_letters_or_addresses() {
        let gps = ReferenceId::from_text("GPS");
        assert_eq!(reference(gps, Stratum::PRIMARY), "GPS");
        assert_eq!(reference(gps, Stratum::new(2)), "71.80.83.0");
    }
}
