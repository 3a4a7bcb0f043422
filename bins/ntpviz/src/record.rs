//! Lines of statistics files.

/// A line of `loopstats`: what the clock's loop did.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct LoopRecord {
    /// Seconds since 1970, UTC.
    pub(crate) at: f64,
    /// Seconds that the clock was behind.
    pub(crate) offset: f64,
    /// How much slower than true the clock would run uncorrected, in ppm.
    pub(crate) frequency: f64,
    /// Seconds.
    pub(crate) jitter: f64,
    /// ppm
    pub(crate) wander: f64,
}

/// A line of `peerstats`: what a source said.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct PeerRecord {
    /// Seconds since 1970, UTC.
    pub(crate) at: f64,
    /// Seconds that the clock was behind it.
    pub(crate) offset: f64,
    /// Seconds there and back.
    pub(crate) delay: f64,
    /// Seconds.
    pub(crate) jitter: f64,
}

/// 1970-01-01 as a modified Julian day.
const DAY_OF_1970: f64 = 40_587.0;

impl LoopRecord {
    /// Reads a line; `None` if it is not one.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let at = time(&mut words)?;
        let mut next = || number(words.next()?);
        Some(Self {
            at,
            offset: next()?,
            frequency: next()?,
            jitter: next()?,
            wander: next()?,
        })
    }
}

impl PeerRecord {
    /// Reads a line, which begins with the time and the address; `None` if it is not one.
    pub(crate) fn parse(line: &str) -> Option<(&str, Self)> {
        let mut words = line.split_ascii_whitespace();
        let at = time(&mut words)?;
        let address = words.next()?;
        u16::from_str_radix(words.next()?, 16).ok()?;
        let mut next = || number(words.next()?);
        let (offset, delay, _dispersion) = (next()?, next()?, next()?);
        let record = Self {
            at,
            offset,
            delay,
            jitter: next()?,
        };
        Some((address, record))
    }
}

/// Day and second.
fn time<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<f64> {
    let (day, second) = (number(words.next()?)?, number(words.next()?)?);
    let is_sensible = (0.0..1e6).contains(&day) && (0.0..=86_401.0).contains(&second);
    is_sensible.then_some((day - DAY_OF_1970) * 86_400.0 + second)
}

fn number(word: &str) -> Option<f64> {
    word.parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As ntpd 4.2.8 writes them.
    const LOOP: &str = "61367 28800.250 -0.000012345 -17.250 0.000003210 0.001500 6";
    const PEER: &str =
        "61367 28800.250 192.0.2.1 961a 0.000100000 0.002000000 0.000300000 0.000040000";

    #[test]
    fn lines_are_read() {
        let record = LoopRecord::parse(LOOP).unwrap();
        assert_eq!(record.at, 1_795_420_800.25);
        assert_eq!(
            (
                record.offset,
                record.frequency,
                record.jitter,
                record.wander
            ),
            (-12.345e-6, -17.25, 3.21e-6, 0.0015)
        );
        let (address, record) = PeerRecord::parse(PEER).unwrap();
        assert_eq!(address, "192.0.2.1");
        assert_eq!(
            (record.offset, record.delay, record.jitter),
            (1e-4, 2e-3, 4e-5)
        );
    }

    #[test]
    fn what_is_no_line_is_refused() {
        for wrong in [
            "",
            "# comment",
            "61367 28800.250 -0.000012345 -17.250 0.000003210",
            "61367 28800.250 nan 0 0 0 6",
            "61367 -1 0 0 0 0 6",
            "99999999 0 0 0 0 0 6",
        ] {
            assert_eq!(LoopRecord::parse(wrong), None, "{wrong}");
        }
        assert_eq!(PeerRecord::parse(LOOP), None);
        assert_eq!(PeerRecord::parse(&PEER[..60]), None);
    }
}
