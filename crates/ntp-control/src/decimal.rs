//! Numbers as a daemon writes them.

/// A plain decimal number, `-12.345`; no exponent, no infinity, no more than 40 characters.
pub(crate) fn decimal(text: &str) -> Option<f64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let plain = text.len() <= 40
        && digits.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
    plain.then(|| text.parse().ok())?
}

/// A number without sign, decimal or `0x` and hexadecimal.
pub(crate) fn unsigned(text: &str) -> Option<u32> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => hexadecimal(digits),
        None if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        None => None,
    }
}

/// Hexadecimal digits and nothing else.
pub(crate) fn hexadecimal(digits: &str) -> Option<u32> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain.then(|| u32::from_str_radix(digits, 16).ok())?
}

/// `number` with so many decimals.
pub(crate) fn fixed(number: f64, decimals: usize) -> String {
    // -0.0004 is shown as 0.000, not as -0.000.
    let text = format!("{number:.decimals$}");
    match text.strip_prefix('-') {
        Some(rest) if rest.bytes().all(|byte| matches!(byte, b'0' | b'.')) => rest.to_owned(),
        _ => text,
    }
}

/// `number` with so many decimals and always a sign.
pub(crate) fn signed(number: f64, decimals: usize) -> String {
    let text = fixed(number, decimals);
    if text.starts_with('-') {
        text
    } else {
        format!("+{text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_numbers_are_numbers() {
        assert_eq!(decimal("-0.25"), Some(-0.25));
        assert_eq!(decimal("+5"), Some(5.0));
        assert_eq!(decimal(".5"), Some(0.5));
        for text in [
            "",
            "-",
            ".",
            "1e3",
            "inf",
            "nan",
            "1.2.3",
            "0x1",
            " 1",
            "+-1",
            &"9".repeat(41),
        ] {
            assert_eq!(decimal(text), None, "{text}");
        }
        assert_eq!(unsigned("0x1f"), Some(31));
        assert_eq!(unsigned("377"), Some(377));
        for text in ["", "0x", "-1", "+1", "0x+1", "4294967296", "0x100000000"] {
            assert_eq!(unsigned(text), None, "{text}");
        }
    }

    #[test]
    fn zero_has_no_minus() {
        assert_eq!(fixed(-0.0004, 3), "0.000");
        assert_eq!(signed(-0.0004, 3), "+0.000");
        assert_eq!(signed(-0.001, 3), "-0.001");
        assert_eq!(signed(12345.678, 3), "+12345.678");
    }
}
