//! `tos`, `tinker`, `discard` and `mru`: constants of selection, clock loop and rate limits.

use ntp_wire::{Duration, Ppm, Stratum};

use crate::{
    decimal,
    line::Line,
    reader::{Problem, Reader},
};

/// `tos`: how sources are selected.
#[derive(Clone, PartialEq, Debug)]
pub struct Tos {
    /// `minclock`: the fewest sources that clustering leaves. 3.
    pub minimum_clocks: u32,
    /// `maxclock`: the most associations that searching makes. 10.
    pub maximum_clocks: u32,
    /// `minsane`: the fewest sources that must agree. 1.
    pub minimum_sane: u32,
    /// `floor`: strata below are not selected. 0.
    pub floor: Stratum,
    /// `ceiling`: strata from there on are not selected. 15.
    pub ceiling: Stratum,
    /// `cohort`: whether servers of the own stratum are answered in manycast.
    pub cohort: bool,
    /// `mindist`: the smallest distance that selection reckons with. 1 ms.
    pub minimum_distance: Duration,
    /// `maxdist`: sources that are farther away are not selected. 1.5 s.
    pub maximum_distance: Duration,
    /// `beacon`: seconds between searches in manycast. 3600 s.
    pub beacon: Duration,
    /// `orphan`: the stratum to take when all sources are lost; never if `None`.
    pub orphan: Option<Stratum>,
    /// `orphanwait`: how long to wait before that. 300 s.
    pub orphan_wait: Duration,
    /// `bcpollbstep`: broadcast intervals before a step back is believed. 0.
    pub broadcast_step_polls: u8,
    /// `basedate`: the earliest date that is believed.
    pub base_date: Option<String>,
}

impl Default for Tos {
    fn default() -> Self {
        Self {
            minimum_clocks: 3,
            maximum_clocks: 10,
            minimum_sane: 1,
            floor: Stratum::UNSPECIFIED,
            ceiling: Stratum::new(15),
            cohort: false,
            minimum_distance: decimal::milliseconds(1),
            maximum_distance: decimal::milliseconds(1500),
            beacon: Duration::from_seconds(3600),
            orphan: None,
            orphan_wait: Duration::from_seconds(300),
            broadcast_step_polls: 0,
            base_date: None,
        }
    }
}

const TOS: [&str; 13] = [
    "minclock",
    "maxclock",
    "minsane",
    "floor",
    "ceiling",
    "cohort",
    "mindist",
    "maxdist",
    "beacon",
    "orphan",
    "orphanwait",
    "bcpollbstep",
    "basedate",
];

impl Tos {
    pub(crate) fn read(&mut self, reader: &mut Reader<'_>) -> Result<(), Problem> {
        let mut next = Some(reader.expect("an option of `tos`")?);
        while let Some(word) = next {
            match word.keyword() {
                "minclock" => self.minimum_clocks = reader.clamped("minclock", 1..=1000)?,
                "maxclock" => self.maximum_clocks = reader.clamped("maxclock", 1..=1000)?,
                "minsane" => self.minimum_sane = reader.clamped("minsane", 0..=1000)?,
                "floor" => self.floor = Stratum::new(reader.clamped("floor", 0..=16)?),
                "ceiling" => self.ceiling = Stratum::new(reader.clamped("ceiling", 1..=15)?),
                "cohort" => self.cohort = reader.integer::<u8>("cohort", 0..=1)? == 1,
                "mindist" => self.minimum_distance = reader.span_of_time("distance")?,
                "maxdist" => self.maximum_distance = reader.span_of_time("distance")?,
                "beacon" => self.beacon = reader.span_of_time("time")?,
                "orphan" => {
                    let stratum = Stratum::new(reader.integer("orphan", 1..=17)?);
                    // The reference's default says it this way.
                    self.orphan = Some(stratum).filter(|stratum| stratum.value() <= 16);
                }
                "orphanwait" => self.orphan_wait = reader.span_of_time("time")?,
                "bcpollbstep" => {
                    self.broadcast_step_polls = reader.clamped("bcpollbstep", 0..=4)?;
                }
                "basedate" => self.base_date = Some(reader.text("a date")?),
                _ => return Err(Problem::unknown(word, "option of `tos`", &TOS)),
            }
            next = reader.take();
        }
        Ok(())
    }

    pub(crate) fn write(&self, out: &mut String) {
        let usual = Self::default();
        if *self == usual {
            return;
        }
        let time = |ours: Duration, usual: Duration| (ours != usual).then(|| decimal::write(ours));
        let number = |ours: u32, usual: u32| (ours != usual).then_some(ours);
        Line::new("tos")
            .option(
                "minclock",
                number(self.minimum_clocks, usual.minimum_clocks),
            )
            .option(
                "maxclock",
                number(self.maximum_clocks, usual.maximum_clocks),
            )
            .option("minsane", number(self.minimum_sane, usual.minimum_sane))
            .option("floor", (self.floor != usual.floor).then_some(self.floor))
            .option(
                "ceiling",
                (self.ceiling != usual.ceiling).then_some(self.ceiling),
            )
            .option("cohort", self.cohort.then_some(1))
            .option(
                "mindist",
                time(self.minimum_distance, usual.minimum_distance),
            )
            .option(
                "maxdist",
                time(self.maximum_distance, usual.maximum_distance),
            )
            .option("beacon", time(self.beacon, usual.beacon))
            .option("orphan", self.orphan)
            .option("orphanwait", time(self.orphan_wait, usual.orphan_wait))
            .option("bcpollbstep", number(self.broadcast_step_polls.into(), 0))
            .named("basedate", self.base_date.as_deref())
            .end(out);
    }
}

/// `tinker`: constants of the clock loop.
#[derive(Clone, PartialEq, Debug)]
pub struct Tinker {
    /// `allan`: the Allan intercept as a power of two, in seconds. 11.
    pub allan_exponent: u8,
    /// `dispersion`: how fast the error of a clock grows. 15 ppm; 1000 at most.
    pub dispersion: Ppm,
    /// `freq`: the frequency to start with, in place of the drift file's.
    pub frequency: Option<Ppm>,
    /// `huffpuff`: the span of the huff-n'-puff filter; off if `None`.
    pub huff_puff: Option<Duration>,
    /// `panic`: offsets above are not believed; 0 is never. 1000 s.
    pub panic: Duration,
    /// `stepback`, or `step`: clocks that are ahead by more are stepped; 0 is never. 128 ms.
    pub step_back: Duration,
    /// `stepfwd`, or `step`: clocks that are behind by more are stepped; 0 is never. 128 ms.
    pub step_forward: Duration,
    /// `stepout`: how long an offset must be above the threshold. 300 s, which is the least.
    pub step_out: Duration,
    /// `tick`: microseconds of a tick of the clock.
    pub tick: Option<u32>,
}

impl Default for Tinker {
    fn default() -> Self {
        Self {
            allan_exponent: 11,
            dispersion: Ppm::new(15.0),
            frequency: None,
            huff_puff: None,
            panic: Duration::from_seconds(1000),
            step_back: decimal::milliseconds(128),
            step_forward: decimal::milliseconds(128),
            step_out: Duration::from_seconds(300),
            tick: None,
        }
    }
}

const TINKER: [&str; 10] = [
    "allan",
    "dispersion",
    "freq",
    "huffpuff",
    "panic",
    "step",
    "stepback",
    "stepfwd",
    "stepout",
    "tick",
];

impl Tinker {
    pub(crate) fn read(&mut self, reader: &mut Reader<'_>) -> Result<(), Problem> {
        let mut next = Some(reader.expect("an option of `tinker`")?);
        while let Some(word) = next {
            match word.keyword() {
                "allan" => self.allan_exponent = reader.integer("allan", 0..=30)?,
                "dispersion" => {
                    self.dispersion = Ppm::new(reader.rate("dispersion", 0.0..=1000.0)?);
                }
                "freq" => {
                    self.frequency = Some(Ppm::new(reader.number_within("freq", -500.0..=500.0)?));
                }
                "huffpuff" => {
                    self.huff_puff =
                        Some(reader.span_of_time("time")?).filter(|time| *time != Duration::ZERO);
                }
                "panic" => self.panic = reader.span_of_time("time")?,
                "step" => {
                    self.step_back = reader.span_of_time("time")?;
                    self.step_forward = self.step_back;
                }
                "stepback" => self.step_back = reader.span_of_time("time")?,
                "stepfwd" => self.step_forward = reader.span_of_time("time")?,
                "stepout" => {
                    self.step_out = reader.seconds_from("stepout", Self::default().step_out)?;
                }
                "tick" => self.tick = Some(reader.integer("tick", 0..=1_000_000)?),
                _ => return Err(Problem::unknown(word, "option of `tinker`", &TINKER)),
            }
            next = reader.take();
        }
        Ok(())
    }

    pub(crate) fn write(&self, out: &mut String) {
        let usual = Self::default();
        if *self == usual {
            return;
        }
        let time = |ours: Duration, usual: Duration| (ours != usual).then(|| decimal::write(ours));
        let mut line = Line::new("tinker");
        if self.allan_exponent != usual.allan_exponent {
            line = line.word("allan").word(self.allan_exponent);
        }
        if self.dispersion != usual.dispersion {
            // In the unit that cannot be mistaken.
            let rate = self.dispersion.value();
            line = line.word("dispersion");
            line = if rate < 100.0 {
                line.word(format_args!("{rate}e-6"))
            } else {
                line.word(rate)
            };
        }
        line.option("freq", self.frequency.map(Ppm::value))
            .option("huffpuff", self.huff_puff.map(decimal::write))
            .option("panic", time(self.panic, usual.panic))
            .option("stepback", time(self.step_back, usual.step_back))
            .option("stepfwd", time(self.step_forward, usual.step_forward))
            .option("stepout", time(self.step_out, usual.step_out))
            .option("tick", self.tick)
            .end(out);
    }
}

/// `discard`: how often a client that is `limited` may ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Discard {
    /// `average`: every 2ⁿ seconds on average. 3.
    pub average_exponent: u8,
    /// `minimum`: seconds between two requests. 2.
    pub minimum: u8,
    /// `monitor`: seconds after which a full client list certainly forgets a client. 3000.
    pub monitor: u32,
}

impl Default for Discard {
    fn default() -> Self {
        Self {
            average_exponent: 3,
            minimum: 2,
            monitor: 3000,
        }
    }
}

impl Discard {
    pub(crate) fn read(&mut self, reader: &mut Reader<'_>) -> Result<(), Problem> {
        let mut next = Some(reader.expect("an option of `discard`")?);
        while let Some(word) = next {
            match word.keyword() {
                "average" => self.average_exponent = reader.clamped("average", 0..=17)?,
                "minimum" => self.minimum = reader.clamped("minimum", 0..=255)?,
                "monitor" => self.monitor = reader.clamped("monitor", 0..=i64::from(i32::MAX))?,
                _ => {
                    let words = ["average", "minimum", "monitor"];
                    return Err(Problem::unknown(word, "option of `discard`", &words));
                }
            }
            next = reader.take();
        }
        Ok(())
    }

    pub(crate) fn write(self, out: &mut String) {
        if self != Self::default() {
            Line::new("discard")
                .word(format_args!("average {}", self.average_exponent))
                .word(format_args!("minimum {}", self.minimum))
                .word(format_args!("monitor {}", self.monitor))
                .end(out);
        }
    }
}

/// `mru`: how many clients are remembered; `None` is the reference's default.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Mru {
    /// `maxdepth`: clients at most.
    pub maximum_depth: Option<u32>,
    /// `maxmem`: kibibytes at most. 1024.
    pub maximum_memory: Option<u32>,
    /// `mindepth`: clients that are never forgotten for newer ones. 600.
    pub minimum_depth: Option<u32>,
    /// `maxage`: seconds after which a client may be forgotten. 64.
    pub maximum_age: Option<u32>,
    /// `initalloc`: room for so many at first.
    pub initial_clients: Option<u32>,
    /// `initmem`: kibibytes at first.
    pub initial_memory: Option<u32>,
    /// `incalloc`: room for so many more when it is full.
    pub increment_clients: Option<u32>,
    /// `incmem`: kibibytes more when it is full.
    pub increment_memory: Option<u32>,
}

const MRU: [&str; 8] = [
    "maxdepth",
    "maxmem",
    "mindepth",
    "maxage",
    "initalloc",
    "initmem",
    "incalloc",
    "incmem",
];

impl Mru {
    fn fields(&mut self) -> [(&'static str, &mut Option<u32>); 8] {
        [
            ("maxdepth", &mut self.maximum_depth),
            ("maxmem", &mut self.maximum_memory),
            ("mindepth", &mut self.minimum_depth),
            ("maxage", &mut self.maximum_age),
            ("initalloc", &mut self.initial_clients),
            ("initmem", &mut self.initial_memory),
            ("incalloc", &mut self.increment_clients),
            ("incmem", &mut self.increment_memory),
        ]
    }

    pub(crate) fn read(&mut self, reader: &mut Reader<'_>) -> Result<(), Problem> {
        let mut next = Some(reader.expect("an option of `mru`")?);
        while let Some(word) = next {
            let field = self
                .fields()
                .into_iter()
                .find(|(name, _)| *name == word.keyword());
            let (name, field) =
                field.ok_or_else(|| Problem::unknown(word, "option of `mru`", &MRU))?;
            *field = Some(reader.clamped(name, 0..=i64::from(i32::MAX))?);
            next = reader.take();
        }
        Ok(())
    }

    pub(crate) fn write(mut self, out: &mut String) {
        if self != Self::default() {
            let fields = self.fields();
            let line = Line::new("mru");
            fields
                .into_iter()
                .fold(line, |line, (name, value)| line.option(name, *value))
                .end(out);
        }
    }
}
