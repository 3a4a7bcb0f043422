//! Whether the clock of a host is synchronised, in the lines of ntpstat.

use core::fmt;

use ntp_wire::{
    AssociationId, Leap,
    control::{Opcode, SystemStatus},
};

use crate::{Escaped, Request, Response, Variables, decimal::decimal};

/// The events after which a daemon has not yet found its frequency: 1 and, since ntpd 4.2.6, 6.
const RESTARTED: [u8; 2] = [1, 6];
/// The kind of source that an NTP server is.
const SOURCE_NTP: u8 = 6;

/// The state of a clock, as ntpstat shows it.
///
/// ```
/// use ntp_control::{Response, Synchronisation};
/// use ntp_wire::AssociationId;
///
/// let response = Response {
///     status: 0x0615,
///     association: AssociationId::SYSTEM,
///     data: b"stratum=3, rootdelay=20.5, rootdisp=48.5, refid=192.0.2.1, tc=6".to_vec(),
///     fragments: 1,
///     authentic: false,
/// };
/// let state = Synchronisation::new(&response);
/// assert_eq!(
///     state.to_string(),
///     "synchronised to NTP server (192.0.2.1) at stratum 3\n   \
///      time correct to within 59 ms\n   \
///      polling server every 64 s\n"
/// );
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Synchronisation {
    /// Whether the clock follows a source.
    pub synchronised: bool,
    /// Whether the daemon has just started, and is not there yet.
    pub starting: bool,
    /// Number of the kind of source, as in the status word.
    source: u8,
    /// The server that is followed: at first its reference identifier, which is no address where
    /// servers are asked over IPv6.
    server: Option<String>,
    stratum: Option<u8>,
    /// Greatest possible error of the clock in milliseconds, where the daemon tells it.
    pub error_ms: Option<f64>,
    /// Seconds between two polls.
    poll: Option<u64>,
    /// The association that is followed.
    peer: Option<AssociationId>,
}

impl Synchronisation {
    /// What to ask the daemon first.
    pub fn request() -> Request {
        Request::read_variables(
            AssociationId::SYSTEM,
            "stratum,rootdelay,rootdisp,refid,peer,tc",
        )
    }

    /// What its answer says.
    pub fn new(response: &Response) -> Self {
        let status = SystemStatus::from_bits(response.status);
        let variables = Variables::new(&response.data);
        let text = |name| variables.named(name).and_then(|variable| variable.text());
        let number = |name| text(name).and_then(decimal);
        let error_ms = number("rootdisp")
            .zip(number("rootdelay"))
            .map(|(dispersion, delay)| dispersion + delay / 2.0);
        let poll = text("tc")
            .and_then(|text| text.parse().ok())
            .and_then(|exponent| 1_u64.checked_shl(exponent));
        let peer = text("peer").and_then(|text| text.parse().ok());
        Self {
            synchronised: status.leap() != Leap::Unsynchronised,
            starting: RESTARTED.contains(&status.event()),
            source: status.source(),
            server: text("refid").map(str::to_owned),
            stratum: text("stratum").and_then(|text| text.parse().ok()),
            error_ms,
            poll,
            peer: peer
                .map(AssociationId::new)
                .filter(|&peer| peer != AssociationId::SYSTEM),
        }
    }

    /// What to ask next, to name the server; nothing where none is followed.
    pub fn request_server(&self) -> Option<Request> {
        self.names_server()
            .then_some(self.peer)
            .flatten()
            .map(|peer| Request {
                opcode: Opcode::READ_VARIABLES,
                ..Request::read_variables(peer, "srcadr")
            })
    }

    /// Takes the answer to [`request_server`](Self::request_server).
    pub fn set_server(&mut self, response: &Response) {
        let address = Variables::new(&response.data)
            .named("srcadr")
            .and_then(|variable| variable.text());
        if let Some(address) = address {
            self.server = Some(address.to_owned());
        }
    }

    fn names_server(&self) -> bool {
        self.synchronised && self.source == SOURCE_NTP
    }

    /// The source in ntpstat's words.
    fn source_word(&self) -> &'static str {
        const WORDS: [&str; 10] = [
            "unspecified",
            "atomic clock",
            "VLF radio",
            "HF radio",
            "UHF radio",
            "local net",
            "NTP server",
            "UDP/TIME",
            "wristwatch",
            "modem",
        ];
        WORDS
            .get(usize::from(self.source))
            .unwrap_or(&"unknown source")
    }
}

impl fmt::Display for Synchronisation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.synchronised {
            write!(f, "synchronised to {}", self.source_word())?;
            if let Some(server) = self.server.as_ref().filter(|_| self.names_server()) {
                write!(f, " ({})", Escaped(server.as_bytes()))?;
            }
            match self.stratum {
                Some(stratum) => writeln!(f, " at stratum {stratum}")?,
                None => writeln!(f, ", stratum unknown")?,
            }
            match self.error_ms {
                Some(error) => writeln!(f, "   time correct to within {error:.0} ms")?,
                None => writeln!(f, "   accuracy unknown")?,
            }
        } else {
            writeln!(f, "unsynchronised")?;
            if self.starting {
                writeln!(f, "  time server re-starting")?;
            }
        }
        match self.poll {
            Some(poll) => writeln!(f, "   polling server every {poll} s"),
            None => writeln!(f, "   poll interval unknown"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(status: u16, data: &[u8]) -> Synchronisation {
        Synchronisation::new(&Response {
            status,
            association: AssociationId::SYSTEM,
            data: data.to_vec(),
            fragments: 1,
            authentic: false,
        })
    }

    #[test]
    fn a_daemon_that_has_just_started_says_so() {
        assert_eq!(
            state(0xc016, b"stratum=16, tc=3").to_string(),
            "unsynchronised\n  time server re-starting\n   polling server every 8 s\n"
        );
        assert_eq!(
            state(0xc618, b"tc=6").to_string(),
            "unsynchronised\n   polling server every 64 s\n"
        );
    }

    #[test]
    fn a_server_is_named_by_its_address() {
        let data = b"stratum=2, rootdelay=1.0, rootdisp=2.0, refid=1.2.3.4, peer=77, tc=4";
        let mut state = state(0x0615, data);
        let request = state.request_server().unwrap();
        assert_eq!(request.association.value(), 77);
        state.set_server(&Response {
            status: 0x961a,
            association: request.association,
            data: b"srcadr=fd00::1\r\n".to_vec(),
            fragments: 1,
            authentic: false,
        });
        assert!(
            state
                .to_string()
                .starts_with("synchronised to NTP server (fd00::1) at stratum 2\n")
        );
    }

    #[test]
    fn clocks_are_not_asked_for_their_address() {
        let state = state(
            0x0515,
            b"stratum=6, rootdelay=0, rootdisp=11.4, refid=LOCL, peer=5, tc=6",
        );
        assert_eq!(state.request_server(), None);
        assert_eq!(
            state.to_string(),
            "synchronised to local net at stratum 6\n   time correct to within 11 ms\n   \
             polling server every 64 s\n"
        );
    }

    #[test]
    fn what_a_daemon_does_not_tell_is_unknown() {
        assert_eq!(
            state(0x3f15, b"tc=99").to_string(),
            "synchronised to unknown source, stratum unknown\n   accuracy unknown\n   \
             poll interval unknown\n"
        );
        assert!(
            state(0x0615, b"refid=\"\x1b[2J")
                .to_string()
                .contains("(\"^[[2J)")
        );
    }
}
