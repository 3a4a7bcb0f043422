//! The lines that say what a clock is like, of the client's and of a server's.

use super::{reader::Problem, tokens::Tokens};
use crate::{ClockModel, Drift};

/// Takes a line whose first word is `word`; `false` if it says nothing of a clock.
pub(super) fn extend(
    clock: &mut ClockModel,
    word: &str,
    line: &mut Tokens,
) -> Result<bool, Problem> {
    let drift = match word {
        "offset" => {
            clock.offset = line.span()?;
            return Ok(true);
        }
        "noise" => {
            clock.noise = line.span()?;
            return Ok(true);
        }
        "granularity" => {
            clock.granularity = line.span()?;
            return Ok(true);
        }
        "frequency" => Drift::Fixed(line.ppm()?),
        "wander" => Drift::Wander(line.ppm()?),
        "sine" => {
            let amplitude = line.ppm()?;
            line.expect_word("period")?;
            Drift::Sine {
                amplitude,
                period: line.elapsed()?,
            }
        }
        "settle" => {
            let change = line.ppm()?;
            line.expect_word("within")?;
            Drift::Settling {
                change,
                within: line.elapsed()?,
            }
        }
        _ => return Ok(false),
    };
    clock.drifts.push((line.window()?, drift));
    Ok(true)
}
