//! Addresses as a daemon writes them, and the names of reference clocks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::View;

/// An address, perhaps with a port or a scope: `10.0.0.1`, `10.0.0.1:123`, `fe80::1%eth0`,
/// `[::1]:123`. The scope is dropped.
pub(crate) fn address(text: &str) -> Option<(IpAddr, Option<u16>)> {
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Some((address.into(), None));
    }
    let unscoped = match text.split_once('%') {
        Some((address, rest)) => &match rest.split_once(']') {
            Some((_, port)) => format!("{address}]{port}"),
            None => address.to_owned(),
        },
        None => text,
    };
    if let Ok(address) = unscoped.parse::<Ipv6Addr>() {
        return Some((address.into(), None));
    }
    if let Some(address) = unscoped
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        return Some((address.parse::<Ipv6Addr>().ok()?.into(), None));
    }
    let address: SocketAddr = unscoped.parse().ok()?;
    Some((address.ip(), Some(address.port())))
}

/// The name of a host or a reference clock, or its address: what a [`View`] wants.
pub(crate) fn host(address: IpAddr, view: &View<'_>) -> String {
    let name = view.names.filter(|_| !address.is_unspecified());
    name.and_then(|names| reference_clock(address).or_else(|| names(address)))
        .unwrap_or_else(|| address.to_string())
}

/// `GPS_NMEA(0)` for 127.127.20.0; `None` for the address of a host.
pub(crate) fn reference_clock(address: IpAddr) -> Option<String> {
    let IpAddr::V4(address) = address else {
        return None;
    };
    let [127, 127, kind, unit] = address.octets() else {
        return None;
    };
    Some(match driver(kind) {
        Some(driver) => format!("{driver}({unit})"),
        None => format!("REFCLK({kind},{unit})"),
    })
}

pub(crate) fn is_reference_clock(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(address) if address.octets().starts_with(&[127, 127]))
}

/// The drivers by their number, the third octet of their address.
fn driver(kind: u8) -> Option<&'static str> {
    Some(match kind {
        0 => "UNKNOWN",
        1 => "LOCAL",
        2 => "GPS_TRAK",
        3 => "WWV_PST",
        4 => "SPECTRACOM",
        5 => "TRUETIME",
        6 => "IRIG_AUDIO",
        7 => "CHU_AUDIO",
        8 => "GENERIC",
        9 => "GPS_MX4200",
        10 => "GPS_AS2201",
        11 => "GPS_ARBITER",
        12 => "IRIG_TPRO",
        13 => "ATOM_LEITCH",
        14 => "MSF_EES",
        16 => "GPS_BANC",
        17 => "GPS_DATUM",
        18 => "ACTS_MODEM",
        19 => "WWV_HEATH",
        20 => "GPS_NMEA",
        21 => "GPS_VME",
        22 => "PPS",
        26 => "GPS_HP",
        27 => "MSF_ARCRON",
        28 => "SHM",
        29 => "GPS_PALISADE",
        30 => "GPS_ONCORE",
        31 => "GPS_JUPITER",
        32 => "CHRONOLOG",
        33 => "DUMBCLOCK",
        34 => "ULINK_M320",
        35 => "PCF",
        36 => "WWV_AUDIO",
        37 => "GPS_FG",
        38 => "HOPF_S",
        39 => "HOPF_P",
        40 => "JJY",
        41 => "TT_IRIG",
        42 => "GPS_ZYFER",
        43 => "GPS_RIPENCC",
        44 => "NEOCLK4X",
        45 => "PCI_TSYNC",
        46 => "GPSD_JSON",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_with_and_without_ports() {
        let read = |text| address(text).map(|(address, port)| (address.to_string(), port));
        assert_eq!(read("10.0.0.1"), Some(("10.0.0.1".into(), None)));
        assert_eq!(read("10.0.0.1:99"), Some(("10.0.0.1".into(), Some(99))));
        assert_eq!(read("2001:db8::1"), Some(("2001:db8::1".into(), None)));
        assert_eq!(read("[::1]:99"), Some(("::1".into(), Some(99))));
        assert_eq!(read("[::1]"), Some(("::1".into(), None)));
        assert_eq!(read("fe80::1%eth0"), Some(("fe80::1".into(), None)));
        assert_eq!(read("[fe80::1%2]:5"), Some(("fe80::1".into(), Some(5))));
        for text in [
            "",
            "1.2",
            "1.2.3.4.5",
            "300.1.1.1",
            "foo",
            "16909060",
            "[",
            "%",
            "]%[",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn reference_clocks_have_names() {
        let name = |kind, unit| reference_clock(Ipv4Addr::new(127, 127, kind, unit).into());
        assert_eq!(name(1, 0).as_deref(), Some("LOCAL(0)"));
        assert_eq!(name(28, 3).as_deref(), Some("SHM(3)"));
        assert_eq!(name(15, 3).as_deref(), Some("REFCLK(15,3)"));
        assert_eq!(reference_clock(Ipv4Addr::LOCALHOST.into()), None);
    }
}
