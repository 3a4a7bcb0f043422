//! How often to ask a source: as seldom as its samples, and the oscillator's habits, allow.

use super::bank::Bank;

/// The offset may become uncertain by so many widths of the queues until the next sample.
const TOLERATED: f64 = 1.0;
/// Above this part more than tolerated, it asks more often.
const EXCEEDED: f64 = 1.1;
/// What the oscillator did is expected again, ever less, for a day.
const MEMORY: f64 = 86_400.0;
/// The wander is estimated from what it did to the offset, and a jump of the frequency hits in full
/// at any time: twice the deviation is reckoned with.
const MARGIN: f64 = 4.0;
/// The wander is found to be this much more than at the sample before: a surprise.
const SURPRISE: f64 = 1.5;
/// So many samples must agree before it asks less often.
const PATIENCE: u32 = 6;

/// What decides how often to ask.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    exponent: i8,
    agreed: u32,
    /// The wander at the sample before.
    before: f64,
    /// The worst surprise of the last day: who changed his mind this morning may do so again.
    surprise: f64,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            exponent: i8::MIN,
            agreed: 0,
            before: f64::INFINITY,
            surprise: 0.0,
        }
    }

    /// Takes note of what `bank` knows, `elapsed` seconds after the last time; gives the interval to
    /// ask at, 2ⁿ s with n within the bounds.
    pub(super) fn note(&mut self, bank: &Bank, elapsed: f64, least: i8, most: i8) -> i8 {
        let wander = bank.wander();
        self.surprise *= (-elapsed / MEMORY).exp();
        if wander > SURPRISE * self.before {
            self.surprise = self.surprise.max(MARGIN * wander);
        }
        self.before = wander;
        let tolerated = TOLERATED * bank.width();
        let deviation = |exponent: i8| {
            bank.predicted_variance(f64::from(exponent).exp2(), self.surprise)
                .sqrt()
        };
        let mut exponent = self.exponent.clamp(least, most.max(least));
        if deviation(exponent) > EXCEEDED * tolerated {
            exponent -= 1;
            while exponent > least && deviation(exponent) > 2.0 * tolerated {
                exponent -= 1;
            }
            self.agreed = 0;
        } else if deviation(exponent + 1) < tolerated {
            self.agreed += 1;
        } else {
            self.agreed = 0;
        }
        if self.agreed >= PATIENCE {
            self.agreed = 0;
            exponent += 1;
        }
        self.exponent = exponent.clamp(least, most.max(least));
        self.exponent
    }
}
