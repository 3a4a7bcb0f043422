//! The questions, by the commands of ntpdc.

use std::net::{IpAddr, Ipv4Addr};

use ntp_wire::private::{PeerListEntry, RequestCode};

use super::{PrivateRequest, PrivateResponse, lists, sources, system};
use crate::View;

/// What a command asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Inquiry {
    /// `listpeers`: sources of either family, or of both.
    Sources(Option<Family>),
    /// `peers`: the same, with their numbers.
    Peers(Option<Family>),
    /// `dmpeers`: the same, marked by what the selection made of them.
    PeersByMerit(Option<Family>),
    /// `showpeer`: all of some sources.
    Peer(Vec<IpAddr>, u16),
    /// `pstats`: what was counted of some sources.
    PeerStatistics(Vec<IpAddr>, u16),
    /// `loopinfo`: the clock loop, perhaps on one line.
    Loop {
        /// `oneline`
        one_line: bool,
    },
    /// `sysinfo`: the system.
    System,
    /// `sysstats`: packets by their fate.
    Packets,
    /// `memstats`: memory for sources.
    Memory,
    /// `iostats`: what came and went.
    InputOutput,
    /// `timerstats`: the timer.
    Timer,
    /// `reslist`: the restrictions, of either family, or of both.
    Restrictions(Option<Family>),
    /// `monlist`: the clients.
    Clients,
    /// `kerninfo`: the kernel's clock.
    Kernel,
    /// `authinfo`: keys.
    Authentication,
    /// `ctlstats`: mode 6.
    Control,
    /// `traps`: who is told of events.
    Traps,
    /// `clockstat`: some reference clocks.
    Clocks(Vec<Ipv4Addr>),
    /// `clkbug`: what their drivers have to say.
    ClockDebugging(Vec<Ipv4Addr>),
    /// `ifstats`: the addresses of the daemon. It takes a key.
    Interfaces,
    /// `ifreload`: the same, looked up anew. It takes a key.
    ReloadInterfaces,
}

/// A family of addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// `-4`
    Ipv4,
    /// `-6`
    Ipv6,
}

impl Family {
    /// Whether `address` is one of it.
    pub(super) fn has(self, address: IpAddr) -> bool {
        match self {
            Self::Ipv4 => address.is_ipv4(),
            Self::Ipv6 => address.is_ipv6(),
        }
    }
}

/// Why a response cannot be shown; the text is ntpdc's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InquiryError {
    /// It has no items.
    #[error("No data returned in response to query")]
    Nothing,
    /// It has more than the one that was expected.
    #[error("Expected one item in response, got {0}")]
    Several(usize),
    /// They are longer.
    #[error("***Incorrect item size returned by remote host ({0} should be {1})")]
    Size(usize, usize),
}

impl Inquiry {
    /// The request whose response [`text`](Self::text) shows.
    pub fn request(&self) -> PrivateRequest {
        PrivateRequest::new(match self {
            Self::Sources(_) => RequestCode::PEER_LIST,
            Self::Peers(_) | Self::PeersByMerit(_) => RequestCode::PEER_LIST_SUMMARY,
            Self::Peer(addresses, port) => {
                return about(RequestCode::PEER_INFORMATION, addresses, *port);
            }
            Self::PeerStatistics(addresses, port) => {
                return about(RequestCode::PEER_STATISTICS, addresses, *port);
            }
            Self::Loop { .. } => RequestCode::LOOP_INFORMATION,
            Self::System => RequestCode::SYSTEM_INFORMATION,
            Self::Packets => RequestCode::SYSTEM_STATISTICS,
            Self::Memory => RequestCode::MEMORY_STATISTICS,
            Self::InputOutput => RequestCode::IO_STATISTICS,
            Self::Timer => RequestCode::TIMER_STATISTICS,
            Self::Restrictions(_) => RequestCode::RESTRICTIONS,
            Self::Clients => RequestCode::MONITOR_LIST,
            Self::Kernel => RequestCode::KERNEL,
            Self::Authentication => RequestCode::AUTHENTICATION_INFORMATION,
            Self::Control => RequestCode::CONTROL_STATISTICS,
            Self::Traps => RequestCode::TRAPS,
            Self::Clocks(clocks) => return clocks_of(RequestCode::CLOCK_INFORMATION, clocks),
            Self::ClockDebugging(clocks) => {
                return clocks_of(RequestCode::CLOCK_DEBUGGING, clocks);
            }
            Self::Interfaces => RequestCode::INTERFACES,
            Self::ReloadInterfaces => RequestCode::RELOAD_INTERFACES,
        })
    }

    /// ntpdc's text of the response.
    ///
    /// # Errors
    ///
    /// [`InquiryError`] if it holds other items than expected.
    pub fn text(
        &self,
        response: &PrivateResponse,
        view: &View<'_>,
    ) -> Result<String, InquiryError> {
        match self {
            Self::Sources(family) => sources::list(response, *family, view),
            Self::Peers(family) => sources::table(response, *family, false, view),
            Self::PeersByMerit(family) => sources::table(response, *family, true, view),
            Self::Peer(..) => sources::all_of_each(response, view),
            Self::PeerStatistics(..) => sources::statistics(response, view),
            Self::Loop { one_line } => system::clock_loop(response, *one_line),
            Self::System => system::system(response, view),
            Self::Packets => system::packets(response),
            Self::Memory => system::memory(response),
            Self::InputOutput => system::input_output(response),
            Self::Timer => system::timer(response),
            Self::Restrictions(family) => lists::restrictions(response, *family, view),
            Self::Clients => lists::clients(response, view),
            Self::Kernel => system::kernel(response),
            Self::Authentication => system::authentication(response),
            Self::Control => system::control(response),
            Self::Traps => lists::traps(response),
            Self::Clocks(_) => lists::clocks(response),
            Self::ClockDebugging(_) => lists::clock_debugging(response),
            Self::Interfaces | Self::ReloadInterfaces => lists::interfaces(response),
        }
    }
}

fn about(code: RequestCode, addresses: &[IpAddr], port: u16) -> PrivateRequest {
    let entry = |address: &IpAddr| {
        let mut entry = PeerListEntry::default();
        entry.set_remote(*address);
        entry.port = port;
        entry.to_bytes()
    };
    PrivateRequest::with_items(code, addresses.iter().map(entry))
}

fn clocks_of(code: RequestCode, clocks: &[Ipv4Addr]) -> PrivateRequest {
    PrivateRequest::with_items(code, clocks.iter().map(Ipv4Addr::octets))
}

/// The records of a response: one at least. Those of an older daemon may be shorter.
pub(super) fn records<T>(
    response: &PrivateResponse,
    size: usize,
    read: impl Fn(&[u8]) -> Option<T>,
) -> Result<Vec<T>, InquiryError> {
    if response.items().len() == 0 {
        return Err(InquiryError::Nothing);
    }
    if response.item_size > size {
        return Err(InquiryError::Size(response.item_size, size));
    }
    let padded = |item: &[u8]| {
        let mut octets = item.to_vec();
        octets.resize(size, 0);
        read(&octets)
    };
    Ok(response.items().filter_map(padded).collect())
}

/// The only record of a response.
pub(super) fn record<T>(
    response: &PrivateResponse,
    size: usize,
    read: impl Fn(&[u8]) -> Option<T>,
) -> Result<T, InquiryError> {
    match response.items().len() {
        0 => Err(InquiryError::Nothing),
        1 => records(response, size, read)?
            .pop()
            .ok_or(InquiryError::Nothing),
        several => Err(InquiryError::Several(several)),
    }
}

#[cfg(test)]
mod tests {
    use ntp_wire::{
        Monotonic, Timestamp,
        private::{PrivateHeader, PrivateMessage},
    };
    use proptest::prelude::*;

    use super::*;
    use crate::private::{PrivateProgress, PrivateSession};

    fn all() -> Vec<Inquiry> {
        vec![
            Inquiry::Sources(None),
            Inquiry::Peers(Some(Family::Ipv4)),
            Inquiry::PeersByMerit(Some(Family::Ipv6)),
            Inquiry::Peer(Vec::new(), 123),
            Inquiry::PeerStatistics(Vec::new(), 123),
            Inquiry::Loop { one_line: false },
            Inquiry::Loop { one_line: true },
            Inquiry::System,
            Inquiry::Packets,
            Inquiry::Memory,
            Inquiry::InputOutput,
            Inquiry::Timer,
            Inquiry::Restrictions(None),
            Inquiry::Clients,
            Inquiry::Kernel,
            Inquiry::Authentication,
            Inquiry::Control,
            Inquiry::Traps,
            Inquiry::Clocks(Vec::new()),
            Inquiry::ClockDebugging(Vec::new()),
            Inquiry::Interfaces,
        ]
    }

    /// The response that holds `items` of `size` octets.
    fn response(inquiry: &Inquiry, size: usize, octets: &[u8]) -> PrivateResponse {
        let mut session = PrivateSession::default();
        let now = Monotonic::START;
        let question = session.ask(&inquiry.request(), None, now).unwrap();
        let header = PrivateHeader {
            response: true,
            items: (octets.len() / size.max(1)) as u16,
            item_size: size as u16,
            ..PrivateHeader::parse(&question).unwrap()
        };
        let answer = [&header.to_bytes()[..], octets].concat();
        match session.handle(&answer, now) {
            PrivateProgress::Done(response) => response,
            progress => panic!("{progress:?}"),
        }
    }

    #[test]
    fn a_peer_of_ntpd_is_shown_as_ntpdc_does() {
        let octets = "7f0000017f7f0100007b010303019b03000000000000000000000000\
                      0002d13e00000000"
            .to_owned()
            + &"0".repeat(72);
        let octets: Vec<u8> = octets
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        let inquiry = Inquiry::Peers(None);
        let view = View::new(Timestamp::from_unix(1_795_393_189, 0));
        let text = inquiry.text(&response(&inquiry, 72, &octets), &view);
        assert_eq!(
            text.unwrap(),
            "     remote           local      st poll reach  delay   offset    disp
=======================================================================
*127.127.1.0     127.0.0.1        1    8    1 0.00000 +0.000000 2.81735
"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn no_answer_gives_a_terminal_orders(
            octets in prop::collection::vec(any::<u8>(), 0..PrivateMessage::LONGEST_DATA),
            short in 0_usize..3,
        ) {
            let view = View::new(Timestamp::from_unix(1_795_393_189, 0));
            for inquiry in all() {
                for size in [4, 16, 24, 32, 36, 40, 52, 56, 60, 72, 80, 120, 136, 148, 280, 332] {
                    let response = response(&inquiry, size - short, &octets);
                    if let Ok(text) = inquiry.text(&response, &view) {
                        let harmless = |byte: u8| matches!(byte, b'\n' | b'\t' | b' '..=b'~');
                        prop_assert!(text.bytes().all(harmless), "{text:?}");
                    }
                }
            }
        }
    }
}
