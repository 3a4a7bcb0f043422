//! Numbers as ntpdc prints them.

use ntp_wire::{Duration, ShortDuration, private::SignedShort};

/// A number of 32 bits, 16 of them behind the point, with so many decimals.
pub(super) fn short(number: SignedShort, decimals: u32) -> String {
    let bits = (number.to_f64() * 65_536.0) as i64;
    fixed(bits, 16, decimals)
}

/// The same without sign.
pub(super) fn unsigned(number: ShortDuration, decimals: u32) -> String {
    fixed(number.to_bits().into(), 16, decimals)
}

/// A number of 64 bits, half of them behind the point, with so many decimals and always a sign.
pub(super) fn long(number: Duration, decimals: u32) -> String {
    let text = fixed(number.to_bits(), 32, decimals);
    if text.starts_with('-') {
        text
    } else {
        format!("+{text}")
    }
}

/// `bits` with so many of them behind the point. Halves are rounded away from zero.
fn fixed(bits: i64, fraction: u32, decimals: u32) -> String {
    let sign = if bits < 0 { "-" } else { "" };
    let scale = 10_u128.pow(decimals);
    let doubled = u128::from(bits.unsigned_abs()) * scale * 2;
    let rounded = (doubled + (1 << fraction)) >> (fraction + 1);
    let (whole, rest) = (rounded / scale, rounded % scale);
    match decimals {
        0 => format!("{sign}{whole}"),
        decimals => format!("{sign}{whole}.{rest:0width$}", width = decimals as usize),
    }
}

/// The `%g` of C: six digits that count, and an exponent where that is shorter.
pub(super) fn general(number: f64) -> String {
    if number == 0.0 || !number.is_finite() {
        return format!("{number:.0}");
    }
    let scientific = format!("{number:.5e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..6).contains(&exponent) {
        let decimals = usize::try_from(5 - exponent).unwrap_or_default();
        return trimmed(&format!("{number:.decimals$}")).to_owned();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trimmed(digits), exponent.abs())
}

/// Without zeros at the end.
fn trimmed(number: &str) -> &str {
    match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.'),
        false => number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn general_numbers_are_those_of_c() {
        for (number, text) in [
            (0.0, "0"),
            (16.0, "16"),
            (1e-6, "1e-06"),
            (0.000_123_456_7, "0.000123457"),
            (123_456.0, "123456"),
            (1_234_567.0, "1.23457e+06"),
            (-0.001, "-0.001"),
            (2_147.483_648, "2147.48"),
            (999_999.9, "1e+06"),
        ] {
            assert_eq!(general(number), text);
        }
    }

    #[test]
    fn fixed_numbers_are_rounded_away_from_zero() {
        assert_eq!(short(SignedShort::from_f64(-0.05), 6), "-0.049988");
        assert_eq!(short(SignedShort::from_f64(0.015_625), 5), "0.01563");
        assert_eq!(short(SignedShort::from_f64(500.0), 0), "500");
        assert_eq!(
            unsigned(ShortDuration::from_bits(u32::MAX), 5),
            "65535.99998"
        );
        assert_eq!(long(Duration::ZERO, 6), "+0.000000");
        assert_eq!(long(Duration::from_millis(-1), 6), "-0.001000");
        assert_eq!(long(Duration::MIN, 3), "-2147483648.000");
    }
}
