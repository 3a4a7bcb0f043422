//! Host names in Autokey's messages: `host` or `host@group`.

/// The longest name.
const LONGEST: usize = 255;

/// The name in `octets`, if it can be one: 1 to 255 printable ASCII characters without blanks.
/// A zero at the end, which some implementations send along, is cut off.
pub(crate) fn read(octets: &[u8]) -> Option<&str> {
    let octets = octets.strip_suffix(&[0]).unwrap_or(octets);
    let name = std::str::from_utf8(octets).ok()?;
    is_proper(name).then_some(name)
}

/// Whether `name` can be a host's name.
pub(crate) fn is_proper(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= LONGEST
        && name.bytes().all(|octet| octet.is_ascii_graphic())
        && !host_of(name).is_empty()
}

/// The part before the `@`.
fn host_of(name: &str) -> &str {
    name.split_once('@').map_or(name, |(host, _)| host)
}

/// The part after the `@`, if there is one.
pub(crate) fn group_of(name: &str) -> Option<&str> {
    name.split_once('@')
        .map(|(_, group)| group)
        .filter(|group| !group.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_refused() {
        for good in [
            &b"server"[..],
            b"server@group",
            b"server\0",
            b"%s%n",
            &[b'a'; 255],
        ] {
            assert!(read(good).is_some(), "{good:?}");
        }
        for bad in [
            &b""[..],
            b"\0",
            b"a\0b",
            b"a\nb",
            b"a\r",
            b"a b",
            b"\x1b[2J",
            b"\xff\xfe",
            b"@group",
            "é".as_bytes(),
            &[b'a'; 256],
            &[b'a'; 4000],
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
        assert_eq!(group_of("host@group"), Some("group"));
        assert_eq!(group_of("host@"), None);
        assert_eq!(group_of("host"), None);
    }
}
