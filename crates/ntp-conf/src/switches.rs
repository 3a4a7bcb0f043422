//! `enable` and `disable`.

use crate::{
    line::Line,
    reader::{Problem, Reader},
};

/// One thing that can be turned on and off.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Switch {
    /// `auth`: associations that others ask for need authentication.
    Authentication,
    /// `bclient`: broadcasts are followed.
    BroadcastClient,
    /// `calibrate`: clocks are calibrated against other sources.
    Calibrate,
    /// `kernel`: the clock loop is that of the kernel, and leap seconds are made there.
    Kernel,
    /// `mode7`: ntpdc is answered.
    Mode7,
    /// `monitor`: clients are remembered.
    Monitor,
    /// `ntp`: the clock is disciplined.
    Ntp,
    /// `stats`: statistics files are written.
    Statistics,
    /// `peer_clear_digest_early`: see the reference's manual; such packets never clear anything
    /// without passing the origin check.
    PeerClearDigestEarly,
    /// `unpeer_crypto_early`
    UnpeerCryptoEarly,
    /// `unpeer_crypto_nak_early`
    UnpeerCryptoNakEarly,
    /// `unpeer_digest_early`
    UnpeerDigestEarly,
}

impl Switch {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Authentication,
        Self::BroadcastClient,
        Self::Calibrate,
        Self::Kernel,
        Self::Mode7,
        Self::Monitor,
        Self::Ntp,
        Self::Statistics,
        Self::PeerClearDigestEarly,
        Self::UnpeerCryptoEarly,
        Self::UnpeerCryptoNakEarly,
        Self::UnpeerDigestEarly,
    ];

    /// The word of the configuration.
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Authentication => "auth",
            Self::BroadcastClient => "bclient",
            Self::Calibrate => "calibrate",
            Self::Kernel => "kernel",
            Self::Mode7 => "mode7",
            Self::Monitor => "monitor",
            Self::Ntp => "ntp",
            Self::Statistics => "stats",
            Self::PeerClearDigestEarly => "peer_clear_digest_early",
            Self::UnpeerCryptoEarly => "unpeer_crypto_early",
            Self::UnpeerCryptoNakEarly => "unpeer_crypto_nak_early",
            Self::UnpeerDigestEarly => "unpeer_digest_early",
        }
    }

    /// Why turning it on has no effect in this version, if it has none.
    pub(crate) const fn missing(self) -> Option<&'static str> {
        match self {
            Self::Calibrate => Some("clocks are not calibrated"),
            _ => None,
        }
    }
}

/// What is on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Switches(u16);

impl Default for Switches {
    fn default() -> Self {
        let on = [
            Switch::Authentication,
            Switch::Kernel,
            Switch::Monitor,
            Switch::Ntp,
            Switch::Statistics,
            Switch::PeerClearDigestEarly,
            Switch::UnpeerCryptoEarly,
            Switch::UnpeerCryptoNakEarly,
            Switch::UnpeerDigestEarly,
        ];
        on.into_iter()
            .fold(Self(0), |switches, switch| switches.with(switch, true))
    }
}

impl Switches {
    /// Whether `switch` is on.
    pub const fn is_on(self, switch: Switch) -> bool {
        self.0 & (1 << switch as u8) != 0
    }

    /// With `switch` on or off.
    #[must_use]
    pub const fn with(self, switch: Switch, on: bool) -> Self {
        let bit = 1 << switch as u8;
        Self(if on { self.0 | bit } else { self.0 & !bit })
    }

    pub(crate) fn read(&mut self, reader: &mut Reader<'_>, on: bool) -> Result<(), Problem> {
        let mut next = Some(reader.expect("the name of a switch")?);
        while let Some(word) = next {
            let switch = Switch::ALL
                .into_iter()
                .find(|switch| switch.keyword() == word.keyword());
            let switch = switch.ok_or_else(|| {
                Problem::unknown(word, "switch", &Switch::ALL.map(Switch::keyword))
            })?;
            *self = self.with(switch, on);
            if let Some(why) = switch.missing().filter(|_| on) {
                let message = format!(
                    "`{}` is understood but not carried out by this version",
                    word.text
                );
                reader
                    .remarks
                    .push(Problem::warning(&word.span, message, why));
            }
            next = reader.take();
        }
        Ok(())
    }

    pub(crate) fn write(self, out: &mut String) {
        let usual = Self::default();
        for (keyword, on) in [("enable", true), ("disable", false)] {
            let changed = |switch: &Switch| usual.is_on(*switch) != on && self.is_on(*switch) == on;
            let mut changed = Switch::ALL.into_iter().filter(changed).peekable();
            if changed.peek().is_some() {
                let line = changed.fold(Line::new(keyword), |line, switch| {
                    line.word(switch.keyword())
                });
                line.end(out);
            }
        }
    }
}
