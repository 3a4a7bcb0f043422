//! `hwtimestamp`: interfaces whose cards stamp packets.

use crate::{
    line::Line,
    reader::{Problem, Reader},
};

/// The interfaces of all lines `hwtimestamp …`, each once.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub struct HardwareTimestamps {
    /// Names of interfaces.
    pub interfaces: Vec<String>,
    /// `*`: and every other whose card can.
    pub all: bool,
}

impl HardwareTimestamps {
    pub(crate) fn read(&mut self, reader: &mut Reader<'_>) -> Result<(), Problem> {
        let mut read = self.clone();
        loop {
            let is_all = reader.take_if("*").is_some();
            read.all |= is_all;
            if !is_all {
                let name = reader.interface_name("hwtimestamp eth0")?;
                if !read.interfaces.contains(&name) {
                    read.interfaces.push(name);
                }
            }
            if reader.peek().is_none() {
                break;
            }
        }
        *self = read;
        Ok(())
    }

    pub(crate) fn write(&self, out: &mut String) {
        for name in &self.interfaces {
            Line::new("hwtimestamp").name(name).end(out);
        }
        if self.all {
            Line::new("hwtimestamp").word("*").end(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::parse;

    #[test]
    fn interfaces_add_up() {
        let text = "hwtimestamp eth0 eth1\nhwtimestamp *\nhwtimestamp eth1 eth2\n";
        let parsed = parse("ntp.conf", text, |_| Err(String::new()));
        assert!(!parsed.has_errors(), "{}", parsed.render());
        let found = &parsed.config.hardware_timestamps;
        assert_eq!(found.interfaces, ["eth0", "eth1", "eth2"]);
        assert!(found.all);
    }

    #[test]
    fn what_is_no_interface_is_said() {
        for line in ["hwtimestamp", "hwtimestamp eth0 a/b", "hwtimestamp \"\""] {
            let parsed = parse("ntp.conf", line, |_| Err(String::new()));
            assert!(parsed.has_errors(), "{line}");
            let found = &parsed.config.hardware_timestamps;
            assert!(found.interfaces.is_empty() && !found.all, "{line}");
        }
    }
}
