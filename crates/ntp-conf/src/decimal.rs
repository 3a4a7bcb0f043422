//! Seconds as decimal text and back, without loss.

use ntp_wire::Duration;

/// Ten digits tell 2⁻³² s apart.
const MOST_DIGITS: u32 = 10;

/// `text` as a span of time: `-1.5`, `600`, `.128`, `1e-3`. `None` for what is no number or does
/// not fit.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if !digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        let seconds = number(text)?;
        return (seconds.abs() < 2_147_483_647.0).then(|| Duration::from_seconds_f64(seconds));
    }
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole = if whole.is_empty() {
        0
    } else {
        whole.parse::<i128>().ok()?
    };
    // Digits beyond the eighteenth are far below what a span can hold.
    let fraction = fraction.get(..fraction.len().min(18))?;
    let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    let fraction = if fraction.is_empty() {
        0
    } else {
        fraction.parse::<i128>().ok()?
    };
    if whole > 2_147_483_647 {
        return None;
    }
    let bits = (whole << 32) + ((fraction << 32) + scale / 2) / scale;
    let bits = i64::try_from(bits).ok()?;
    Some(Duration::from_bits(if negative { -bits } else { bits }))
}

/// What [`parse`] gives for so many thousandths: rounded, not cut.
pub(crate) const fn milliseconds(milliseconds: i64) -> Duration {
    Duration::from_bits(((milliseconds << 32) + 500) / 1000)
}

/// `text` as a plain number; no infinity, no not-a-number.
pub(crate) fn number(text: &str) -> Option<f64> {
    let looks_right = text.bytes().any(|byte| byte.is_ascii_digit())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    let number = text.parse::<f64>().ok().filter(|_| looks_right)?;
    number.is_finite().then_some(number)
}

/// `text` as a number of millionths. The exponent is moved within the text, so that nothing is
/// lost to rounding.
pub(crate) fn millionths(text: &str) -> Option<f64> {
    number(text)?;
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    number(&format!("{digits}e{}", exponent.checked_add(6)?))
}

/// The shortest of the texts with up to ten decimals that [`parse`] gives back as `span`.
pub(crate) fn write(span: Duration) -> String {
    let bits = i128::from(span.to_bits());
    let sign = if bits < 0 { "-" } else { "" };
    let mut text = String::new();
    for digits in 0..=MOST_DIGITS {
        let scale = 10_i128.pow(digits);
        let scaled = (bits.abs() * scale + (1 << 31)) >> 32;
        text = match usize::try_from(digits) {
            Ok(width) if width > 0 => {
                format!("{sign}{}.{:0width$}", scaled / scale, scaled % scale)
            }
            _ => format!("{sign}{scaled}"),
        };
        if parse(&text) == Some(span) {
            break;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_people_write() {
        assert_eq!(parse("600"), Some(Duration::from_seconds(600)));
        assert_eq!(parse("-1.5"), Some(Duration::from_millis(-1500)));
        assert_eq!(parse(".5"), Some(Duration::from_millis(500)));
        assert_eq!(parse("5."), Some(Duration::from_seconds(5)));
        assert_eq!(parse("5e-1"), Some(Duration::from_millis(500)));
        let far = "9".repeat(400);
        for bad in [
            "", ".", "-", "inf", "nan", "1e999", "0x10", "1 ", "--1", "1.2.3", "é", &far,
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert_eq!(parse("0.128").map(write).as_deref(), Some("0.128"));
        assert_eq!(write(Duration::from_seconds(600)), "600");
        assert_eq!(write(Duration::ZERO), "0");
    }

    proptest! {
        #[test]
        fn loses_nothing(bits in -(0x7fff_fffe_i64 << 32)..(0x7fff_fffe_i64 << 32)) {
            let span = Duration::from_bits(bits);
            prop_assert_eq!(parse(&write(span)), Some(span));
        }
    }
}
