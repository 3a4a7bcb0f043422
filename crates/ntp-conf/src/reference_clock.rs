//! Reference clocks, which are written as servers `127.127.TYPE.UNIT`, and `fudge`.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
};

use ntp_wire::{Duration, PollExponent, ReferenceId, Stratum};

use crate::{
    Association, decimal,
    line::Line,
    reader::{Problem, Reader},
};

/// Which clock: its driver and which of its devices.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClockAddress {
    /// Number of the driver: 1 is the local clock.
    pub driver: u8,
    /// Number of the device.
    pub unit: u8,
}

impl ClockAddress {
    /// The driver of the undisciplined local clock.
    pub const LOCAL: u8 = 1;

    /// The clock that `address` stands for, if it is one.
    pub fn from_ip(address: IpAddr) -> Option<Self> {
        match address {
            IpAddr::V4(address) => match address.octets() {
                [127, 127, driver, unit] => Some(Self { driver, unit }),
                _ => None,
            },
            IpAddr::V6(_) => None,
        }
    }

    /// The address that stands for it; no packet ever goes there.
    pub const fn to_ip(self) -> Ipv4Addr {
        Ipv4Addr::new(127, 127, self.driver, self.unit)
    }
}

impl fmt::Display for ClockAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_ip().fmt(f)
    }
}

/// One line `server 127.127.TYPE.UNIT`, with what `fudge` says about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReferenceClock {
    /// Which clock.
    pub address: ClockAddress,
    /// `minpoll`: how often to read it.
    pub minimum_poll: PollExponent,
    /// `maxpoll`: how rarely to read it.
    pub maximum_poll: PollExponent,
    /// `prefer`: to be followed if it is correct.
    pub prefer: bool,
    /// `noselect`: to be watched, never followed.
    pub no_select: bool,
    /// `true`: counts as correct without proof.
    pub always_true: bool,
    /// `mode`: what it means is the driver's affair.
    pub mode: u32,
    /// What `fudge` changes.
    pub fudge: Fudge,
}

impl ReferenceClock {
    /// With every option as it is where nothing is written.
    pub fn new(address: ClockAddress) -> Self {
        Self {
            address,
            minimum_poll: PollExponent::DEFAULT_MINIMUM,
            maximum_poll: PollExponent::DEFAULT_MINIMUM,
            prefer: false,
            no_select: false,
            always_true: false,
            mode: 0,
            fudge: Fudge::default(),
        }
    }

    pub(crate) fn from_association(
        address: ClockAddress,
        line: &Association,
        reader: &mut Reader<'_>,
    ) -> Self {
        let plain = Association::new(line.kind, line.address.clone());
        let without_sense = [
            ("key", line.key != plain.key),
            ("autokey", line.autokey),
            ("ident", line.ident.is_some()),
            ("iburst", line.initial_burst),
            ("burst", line.burst),
            ("version", line.version != plain.version),
            ("port", line.port.is_some()),
            ("ttl", line.ttl.is_some()),
            ("preempt", line.preempt),
            ("xleave", line.interleave),
            ("xmtnonce", line.transmit_nonce),
        ];
        for (option, _) in without_sense.iter().filter(|(_, present)| *present) {
            let message = format!("`{option}` means nothing to a reference clock");
            reader
                .remarks
                .push(Problem::note(&reader.span(), message, ""));
        }
        Self {
            address,
            minimum_poll: line.minimum_poll,
            maximum_poll: line.maximum_poll,
            prefer: line.prefer,
            no_select: line.no_select,
            always_true: line.always_true,
            mode: line.mode,
            fudge: Fudge::default(),
        }
    }

    pub(crate) fn write(&self, out: &mut String) {
        let usual = PollExponent::DEFAULT_MINIMUM;
        let low = (self.minimum_poll != usual).then_some(self.minimum_poll.value());
        let high =
            (self.maximum_poll != usual || low.is_some()).then_some(self.maximum_poll.value());
        Line::new("server")
            .word(self.address)
            .option("minpoll", low)
            .option("maxpoll", high)
            .flag("prefer", self.prefer)
            .flag("noselect", self.no_select)
            .flag("true", self.always_true)
            .option("mode", (self.mode != 0).then_some(self.mode))
            .end(out);
        if self.fudge != Fudge::default() {
            self.fudge.write(self.address, out);
        }
    }
}

/// What `fudge` changes about a clock; `None` leaves it to the driver.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Fudge {
    /// `time1`: added to the clock's offset.
    pub time1: Option<Duration>,
    /// `time2`: what it means is the driver's affair.
    pub time2: Option<Duration>,
    /// `stratum`: 0 to 15.
    pub stratum: Option<Stratum>,
    /// `refid`: one to four letters.
    pub reference_id: Option<ReferenceId>,
    /// `flag1` to `flag4`.
    pub flags: [Option<bool>; 4],
    /// `minjitter`: the jitter that the clock is held to have at least.
    pub minimum_jitter: Option<Duration>,
}

const OPTIONS: [&str; 10] = [
    "time1",
    "time2",
    "stratum",
    "refid",
    "flag1",
    "flag2",
    "flag3",
    "flag4",
    "minjitter",
    "abbrev",
];

impl Fudge {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<(ClockAddress, Self), Problem> {
        let word = reader.expect("the address of a clock")?;
        let clock = word.text.parse().ok().and_then(ClockAddress::from_ip);
        let clock = clock.ok_or_else(|| {
            let shown = crate::spelling::shown(&word.text);
            Problem::error(
                &word.span,
                format!("`{shown}` is no reference clock"),
                "clocks are written `127.127.TYPE.UNIT`; `fudge` cannot change a server",
            )
        })?;
        let mut fudge = Self::default();
        if reader.peek().is_none() {
            return Err(Problem::error(
                &word.span,
                "`fudge` changes nothing",
                "add for example `stratum 10`",
            ));
        }
        while let Some(word) = reader.take() {
            match word.keyword() {
                "time1" => fudge.time1 = Some(reader.seconds("time")?),
                "time2" => fudge.time2 = Some(reader.seconds("time")?),
                "stratum" => fudge.stratum = Some(Stratum::new(reader.integer("stratum", 0..=15)?)),
                "refid" | "abbrev" => fudge.reference_id = Some(reference_id(reader)?),
                "flag1" => fudge.flags[0] = Some(flag(reader)?),
                "flag2" => fudge.flags[1] = Some(flag(reader)?),
                "flag3" => fudge.flags[2] = Some(flag(reader)?),
                "flag4" => fudge.flags[3] = Some(flag(reader)?),
                "minjitter" => fudge.minimum_jitter = Some(reader.span_of_time("jitter")?),
                _ => return Err(Problem::unknown(word, "option of `fudge`", &OPTIONS)),
            }
        }
        Ok((clock, fudge))
    }

    /// What `later` says too, where it says something.
    pub(crate) fn merge(&mut self, later: Self) {
        self.time1 = later.time1.or(self.time1);
        self.time2 = later.time2.or(self.time2);
        self.stratum = later.stratum.or(self.stratum);
        self.reference_id = later.reference_id.or(self.reference_id);
        self.minimum_jitter = later.minimum_jitter.or(self.minimum_jitter);
        for (flag, later) in self.flags.iter_mut().zip(later.flags) {
            *flag = later.or(*flag);
        }
    }

    fn write(&self, clock: ClockAddress, out: &mut String) {
        let mut line = Line::new("fudge")
            .word(clock)
            .option("time1", self.time1.map(decimal::write))
            .option("time2", self.time2.map(decimal::write))
            .option("stratum", self.stratum)
            .named(
                "refid",
                self.reference_id.as_ref().and_then(ReferenceId::as_text),
            );
        for (name, flag) in ["flag1", "flag2", "flag3", "flag4"].iter().zip(self.flags) {
            line = line.option(name, flag.map(u8::from));
        }
        line.option("minjitter", self.minimum_jitter.map(decimal::write))
            .end(out);
    }
}

fn flag(reader: &mut Reader<'_>) -> Result<bool, Problem> {
    reader
        .integer::<u8>("a flag", 0..=1)
        .map(|value| value == 1)
}

fn reference_id(reader: &mut Reader<'_>) -> Result<ReferenceId, Problem> {
    let word = reader.expect("a reference identifier")?;
    let id = ReferenceId::from_text(&word.text);
    if word.text.len() > 4 || id.as_text() != Some(&word.text) {
        return Err(Problem::error(
            &word.span,
            "a reference identifier is one to four ASCII characters",
            "for example `GPS` or `LOCL`",
        ));
    }
    Ok(id)
}
