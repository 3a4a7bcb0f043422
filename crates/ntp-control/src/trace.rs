//! The chain of servers that a host's time comes by: the lines of ntptrace.

use ntp_wire::{AssociationId, Stratum};

use crate::{Escaped, Request, Response, Variables, decimal::decimal};

/// What a server says of its own time, and whom it has it from.
///
/// ```
/// use ntp_control::{Hop, Response};
/// use ntp_wire::AssociationId;
///
/// let response = Response {
///     status: 0x0615,
///     association: AssociationId::SYSTEM,
///     data: b"stratum=1, offset=1.5, rootdelay=0.5, rootdisp=10.0, refid=GPS".to_vec(),
///     fragments: 1,
///     authentic: false,
/// };
/// let hop = Hop::new(&response);
/// assert_eq!(
///     hop.line("time.example"),
///     "time.example: stratum 1, offset 0.001500, synch distance 0.010250, refid 'GPS'"
/// );
/// assert!(hop.request_next().is_none());
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Hop {
    stratum: u8,
    offset_ms: f64,
    distance_ms: f64,
    reference_id: String,
    peer: AssociationId,
}

impl Hop {
    /// What to ask a server.
    pub fn request() -> Request {
        Request::read_variables(
            AssociationId::SYSTEM,
            "stratum,offset,rootdelay,rootdisp,refid,peer",
        )
    }

    /// What its answer says; zero for what it does not.
    pub fn new(response: &Response) -> Self {
        let variables = Variables::new(&response.data);
        let text = |name| variables.named(name).and_then(|variable| variable.text());
        let number = |name| text(name).and_then(decimal).unwrap_or_default();
        Self {
            stratum: text("stratum")
                .and_then(|text| text.parse().ok())
                .unwrap_or_default(),
            offset_ms: number("offset"),
            distance_ms: number("rootdisp") + number("rootdelay") / 2.0,
            reference_id: text("refid").unwrap_or_default().to_owned(),
            peer: AssociationId::new(
                text("peer")
                    .and_then(|text| text.parse().ok())
                    .unwrap_or_default(),
            ),
        }
    }

    /// The line of ntptrace, times in seconds.
    pub fn line(&self, host: &str) -> String {
        let mut line = format!(
            "{}: stratum {}, offset {:.6}, synch distance {:.6}",
            Escaped(host.as_bytes()),
            self.stratum,
            self.offset_ms / 1e3,
            self.distance_ms / 1e3
        );
        if self.stratum == Stratum::PRIMARY.value() {
            line += &format!(", refid '{}'", Escaped(self.reference_id.as_bytes()));
        }
        line
    }

    /// What to ask this server next; nothing where its time comes from nowhere, or from a clock
    /// of its own.
    pub fn request_next(&self) -> Option<Request> {
        let follows = self.stratum > Stratum::PRIMARY.value()
            && self.stratum < Stratum::UNSYNCHRONISED.value()
            && self.peer != AssociationId::SYSTEM
            && !self.reference_id.starts_with("127.127.");
        follows.then(|| Request::read_variables(self.peer, "srcadr"))
    }

    /// The address of the next server, from the answer to [`request_next`](Self::request_next);
    /// `None` if it is a clock or no address at all.
    pub fn next(response: &Response) -> Option<core::net::IpAddr> {
        let variables = Variables::new(&response.data);
        let (address, _) = crate::address::address(variables.named("srcadr")?.text()?)?;
        let is_host = !address.is_unspecified() && !crate::address::is_reference_clock(address);
        is_host.then_some(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(data: &[u8]) -> Response {
        Response {
            status: 0x0615,
            association: AssociationId::SYSTEM,
            data: data.to_vec(),
            fragments: 1,
            authentic: false,
        }
    }

    #[test]
    fn the_chain_goes_on_below_stratum_1() {
        let hop = Hop::new(&response(
            b"stratum=3, offset=-0.25, rootdelay=2, rootdisp=8, refid=10.0.0.1, peer=9",
        ));
        assert_eq!(
            hop.line("a"),
            "a: stratum 3, offset -0.000250, synch distance 0.009000"
        );
        assert_eq!(hop.request_next().unwrap().association.value(), 9);
        assert_eq!(
            Hop::next(&response(b"srcadr=10.0.0.1")),
            "10.0.0.1".parse().ok()
        );
    }

    #[test]
    fn it_ends_where_there_is_no_server() {
        for data in [
            &b"stratum=2, refid=127.127.1.0, peer=9"[..],
            b"stratum=16, refid=INIT, peer=9",
            b"stratum=0, peer=9",
            b"stratum=2, refid=10.0.0.1, peer=0",
            b"",
        ] {
            assert_eq!(Hop::new(&response(data)).request_next(), None);
        }
        for data in [
            &b"srcadr=127.127.20.1"[..],
            b"srcadr=0.0.0.0",
            b"srcadr=x",
            b"",
        ] {
            assert_eq!(Hop::next(&response(data)), None);
        }
    }
}
