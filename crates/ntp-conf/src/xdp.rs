//! `xdp`: interfaces whose drivers answer plain requests.

use crate::{
    line::Line,
    reader::{Problem, Reader},
};

/// One line `xdp …`; of those for the same interface the last counts.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct XdpInterface {
    /// The name of the interface.
    pub name: String,
    /// `generic`: not in its driver but behind it, which every driver can.
    pub generic: bool,
}

impl XdpInterface {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Problem> {
        let name = reader.interface_name("xdp eth0")?;
        let generic = reader.take_if("generic").is_some();
        reader.end()?;
        Ok(Self { name, generic })
    }

    pub(crate) fn write(&self, out: &mut String) {
        Line::new("xdp")
            .name(&self.name)
            .flag("generic", self.generic)
            .end(out);
    }
}

#[cfg(test)]
mod tests {
    use crate::parse;

    #[test]
    fn the_last_line_of_an_interface_counts() {
        let parsed = parse("ntp.conf", "xdp eth0\nxdp eth1\nxdp eth0 generic\n", |_| {
            Err(String::new())
        });
        assert!(!parsed.has_errors(), "{}", parsed.render());
        let found = parsed.config.xdp.iter();
        let found: Vec<_> = found.map(|xdp| (&xdp.name[..], xdp.generic)).collect();
        assert_eq!(found, [("eth1", false), ("eth0", true)]);
    }

    #[test]
    fn what_is_no_interface_is_said() {
        for line in [
            "xdp",
            "xdp a/b",
            "xdp \"\"",
            "xdp sixteen-letters-",
            "xdp eth0 fast",
            "xdp eth0 generic 1",
        ] {
            let parsed = parse("ntp.conf", line, |_| Err(String::new()));
            assert!(parsed.has_errors(), "{line}");
            assert!(parsed.config.xdp.is_empty(), "{line}");
        }
    }
}
