//! `metrics`: where monitoring systems are answered.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::{
    line::Line,
    reader::{Problem, Reader},
};

/// The line `metrics …`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Metrics {
    /// The TCP address: 127.0.0.1, port 9123, unless another one is given.
    pub address: SocketAddr,
}

impl Metrics {
    const PORT: u16 = 9123;

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Problem> {
        let mut address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        if reader.peek().is_some_and(|word| word.text != "port") {
            address = reader.address("an address of this machine")?;
        }
        let mut port = Self::PORT;
        if reader.take_if("port").is_some() {
            port = reader.integer("a TCP port", 1..=65535)?;
        }
        reader.end()?;
        Ok(Self {
            address: SocketAddr::new(address, port),
        })
    }

    pub(crate) fn write(&self, out: &mut String) {
        Line::new("metrics")
            .word(self.address.ip())
            .word("port")
            .word(self.address.port())
            .end(out);
    }
}

#[cfg(test)]
mod tests {
    use crate::parse;

    fn address(line: &str) -> Option<String> {
        let parsed = parse("ntp.conf", line, |_| Err(String::new()));
        let metrics = parsed.config.metrics.filter(|_| !parsed.has_errors());
        metrics.map(|metrics| metrics.address.to_string())
    }

    #[test]
    fn it_is_for_this_machine_unless_somebody_says_otherwise() {
        let of = |line| address(line).unwrap_or_default();
        assert_eq!(of("metrics\n"), "127.0.0.1:9123");
        assert_eq!(of("metrics port 9100\n"), "127.0.0.1:9100");
        assert_eq!(of("metrics ::1\n"), "[::1]:9123");
        assert_eq!(of("metrics 192.0.2.1 port 80\n"), "192.0.2.1:80");
        for wrong in [
            "metrics localhost\n",
            "metrics port\n",
            "metrics port 0\n",
            "metrics port 65536\n",
            "metrics 192.0.2.1 80\n",
        ] {
            assert_eq!(address(wrong), None, "{wrong}");
        }
    }
}
