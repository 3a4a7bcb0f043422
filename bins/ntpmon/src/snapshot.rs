//! What a daemon said of itself at one moment.

use core::str::FromStr;

use ntp_control::{Association, Client, Escaped, Variables};
use ntp_wire::{
    AssociationId, Leap, Timestamp,
    control::{Flash, PeerStatus, Selection, SystemStatus},
};

/// All that was asked at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    /// When, by the clock of who asked.
    pub(crate) taken: Timestamp,
    /// The daemon itself.
    pub(crate) system: System,
    /// Its sources.
    pub(crate) sources: Vec<Source>,
    /// Sources that were not asked about, there being too many.
    pub(crate) more_sources: usize,
    /// Who asked it.
    pub(crate) clients: Clients,
}

/// Who asked the daemon.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Clients {
    /// The daemon does not tell, and why.
    Unknown(String),
    /// Those who asked most.
    Known {
        /// They, most packets first.
        top: Vec<Client>,
        /// How many were read in all.
        read: usize,
        /// Whether those are all that the daemon remembers.
        complete: bool,
    },
}

/// The variables of the system.
#[derive(Clone, Debug, Default)]
pub(crate) struct System {
    pub(crate) status: u16,
    pub(crate) version: String,
    pub(crate) stratum: Option<u8>,
    pub(crate) reference_id: String,
    /// Milliseconds.
    pub(crate) offset: Option<f64>,
    /// Milliseconds.
    pub(crate) jitter: Option<f64>,
    /// Milliseconds.
    pub(crate) root_delay: Option<f64>,
    /// Milliseconds.
    pub(crate) root_dispersion: Option<f64>,
    /// Parts in a million.
    pub(crate) frequency: Option<f64>,
    /// Parts in a million.
    pub(crate) wander: Option<f64>,
    /// What this host offers with Autokey; `None` without.
    pub(crate) autokey: Option<u32>,
}

impl System {
    /// From an answer about association 0.
    pub(crate) fn new(status: u16, data: &[u8]) -> Self {
        let variables = Variables::new(data);
        Self {
            status,
            version: text(&variables, "version"),
            stratum: number(&variables, "stratum"),
            reference_id: text(&variables, "refid"),
            offset: real(&variables, "offset"),
            jitter: real(&variables, "sys_jitter"),
            root_delay: real(&variables, "rootdelay"),
            root_dispersion: real(&variables, "rootdisp"),
            frequency: real(&variables, "frequency"),
            wander: real(&variables, "clk_wander"),
            autokey: hexadecimal(&variables, "flags"),
        }
    }

    /// Whether it says that its clock is set.
    pub(crate) fn is_synchronised(&self) -> bool {
        SystemStatus::from_bits(self.status).leap() != Leap::Unsynchronised
    }

    /// The greatest error that its clock can have if its sources are right, in milliseconds.
    pub(crate) fn error_bound(&self) -> Option<f64> {
        Some(self.root_dispersion? + self.root_delay? / 2.0)
    }
}

/// The variables of an association.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) id: AssociationId,
    pub(crate) status: PeerStatus,
    pub(crate) name: String,
    pub(crate) reference_id: String,
    pub(crate) stratum: Option<u8>,
    /// The last eight polls, the newest in the lowest bit.
    pub(crate) reach: u8,
    pub(crate) flash: Flash,
    /// Milliseconds.
    pub(crate) offset: Option<f64>,
    /// Milliseconds.
    pub(crate) delay: Option<f64>,
    /// Milliseconds.
    pub(crate) jitter: Option<f64>,
    /// The exponent of the poll interval.
    pub(crate) poll: Option<u8>,
    pub(crate) key: Option<u32>,
    pub(crate) autokey: Option<u32>,
    /// Cookies of NTS that are left, as NTPsec tells.
    pub(crate) nts_cookies: Option<u32>,
}

impl Source {
    /// From an answer about an association.
    pub(crate) fn new(association: Association, status: u16, data: &[u8]) -> Self {
        let variables = Variables::new(data);
        let host = text(&variables, "srchost");
        let address = text(&variables, "srcadr");
        let reach = octal(&variables, "reach");
        // Of a source that never answered daemons say zeros.
        let delay = real(&variables, "delay");
        let answered = |_: &f64| reach != 0 || delay.is_some_and(|delay| delay != 0.0);
        Self {
            id: association.id,
            status: PeerStatus::from_bits(status),
            name: if host.is_empty() { address } else { host },
            reference_id: text(&variables, "refid"),
            stratum: number(&variables, "stratum"),
            reach,
            flash: Flash::from_bits(
                hexadecimal(&variables, "flash").map_or(0, |bits| (bits & 0xffff) as u16),
            ),
            offset: real(&variables, "offset").filter(answered),
            delay: delay.filter(answered),
            jitter: real(&variables, "jitter").filter(answered),
            poll: number(&variables, "hpoll"),
            key: number(&variables, "keyid"),
            autokey: hexadecimal(&variables, "flags").filter(|flags| *flags != 0),
            nts_cookies: number(&variables, "ntscookies"),
        }
    }

    /// Whether its time is followed or combined.
    pub(crate) fn is_used(&self) -> bool {
        matches!(
            self.status.selection(),
            Selection::Candidate | Selection::SystemPeer | Selection::PpsPeer
        )
    }
}

/// Characters of a text of a daemon at most.
const LONGEST: usize = 80;

/// A text of the daemon, harmless and short.
fn text(variables: &Variables<'_>, name: &str) -> String {
    let value = variables
        .named(name)
        .map_or(&b""[..], |variable| variable.unquoted());
    Escaped(value.get(..LONGEST).unwrap_or(value)).to_string()
}

fn number<T: FromStr>(variables: &Variables<'_>, name: &str) -> Option<T> {
    variables.named(name)?.text()?.parse().ok()
}

/// A number that can be drawn: nothing infinite.
fn real(variables: &Variables<'_>, name: &str) -> Option<f64> {
    number(variables, name).filter(|value: &f64| value.is_finite() && value.abs() < 1e12)
}

fn hexadecimal(variables: &Variables<'_>, name: &str) -> Option<u32> {
    let digits = variables.named(name)?.text()?;
    u32::from_str_radix(digits.strip_prefix("0x").unwrap_or(digits), 16).ok()
}

/// `reach` is octal in the classic daemon's answers and in ours.
fn octal(variables: &Variables<'_>, name: &str) -> u8 {
    variables
        .named(name)
        .and_then(|variable| variable.text())
        .and_then(|digits| match digits.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => u32::from_str_radix(digits, 8).ok(),
        })
        .map_or(0, |bits| (bits & 0xff) as u8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn source(data: &[u8]) -> Source {
        let association = Association {
            id: AssociationId::new(7),
            status: PeerStatus::from_bits(0),
        };
        Source::new(association, 0x961a, data)
    }

    #[test]
    fn numbers_have_the_bases_that_daemons_write_them_in() {
        let source = source(b"srcadr=192.0.2.1, reach=377, flash=0x400, flags=0x87f21, keyid=17");
        assert_eq!(source.reach, 0xff);
        assert_eq!(source.flash, Flash::PEER_DISTANCE);
        assert_eq!(source.autokey, Some(0x8_7f21));
        assert_eq!(source.key, Some(17));
    }

    #[test]
    fn what_cannot_be_drawn_is_not_there() {
        let source = source(b"reach=1, offset=inf, delay=nan, jitter=1e300, stratum=999");
        assert_eq!(source.offset, None);
        assert_eq!(source.delay, None);
        assert_eq!(source.jitter, None);
        assert_eq!(source.stratum, None);
    }

    #[test]
    fn the_error_bound_is_dispersion_and_half_the_delay() {
        let system = System::new(0x0615, b"rootdelay=4.0, rootdisp=10.5");
        assert_eq!(system.error_bound(), Some(12.5));
        assert!(system.is_synchronised());
        assert!(!System::new(0xc016, b"").is_synchronised());
    }

    proptest! {
        #[test]
        fn whatever_is_answered_stays_short_and_harmless(data: Vec<u8>) {
            let mut answer = b"version=\"".to_vec();
            answer.extend(data);
            let version = System::new(0, &answer).version;
            prop_assert!(version.len() <= LONGEST * 4);
            prop_assert!(version.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
        }
    }
}
