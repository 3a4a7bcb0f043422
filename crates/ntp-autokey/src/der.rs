//! DER as far as identity responses need it: a sequence of non-negative integers.

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;

/// Exactly `N` integers in a sequence that fills `octets`, big-endian, without leading zeroes.
/// None if it is anything else, or if one of them is negative.
pub(crate) fn read_integers<const N: usize>(octets: &[u8]) -> Option<[&[u8]; N]> {
    let (mut content, rest) = read(SEQUENCE, octets)?;
    if !rest.is_empty() {
        return None;
    }
    let mut numbers = [&[][..]; N];
    for number in &mut numbers {
        let (octets, rest) = read(INTEGER, content)?;
        content = rest;
        if octets.first()? & 0x80 != 0 {
            return None;
        }
        let first = octets.iter().position(|octet| *octet != 0);
        *number = first
            .and_then(|first| octets.get(first..))
            .unwrap_or_default();
    }
    content.is_empty().then_some(numbers)
}

/// A sequence of the non-negative integers whose big-endian octets are given.
pub(crate) fn write_integers(numbers: &[&[u8]]) -> Vec<u8> {
    let mut content = Vec::new();
    for number in numbers {
        let first = number.iter().position(|octet| *octet != 0);
        let number = first.and_then(|first| number.get(first..)).unwrap_or(&[0]);
        let sign = number.first().is_some_and(|octet| octet & 0x80 != 0);
        content.push(INTEGER);
        write_length(number.len() + usize::from(sign), &mut content);
        content.extend(sign.then_some(0));
        content.extend_from_slice(number);
    }
    let mut whole = vec![SEQUENCE];
    write_length(content.len(), &mut whole);
    whole.append(&mut content);
    whole
}

/// The content of the element of this type at the start, and what follows it.
fn read(tag: u8, octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[found, short], rest) = octets.split_first_chunk()?;
    if found != tag {
        return None;
    }
    let (length, rest) = if short < 0x80 {
        (usize::from(short), rest)
    } else {
        let (octets, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
        if octets.is_empty() || octets.len() > 2 {
            return None;
        }
        let length = octets
            .iter()
            .fold(0, |length, octet| length << 8 | usize::from(*octet));
        (length, rest)
    };
    rest.split_at_checked(length)
}

fn write_length(length: usize, to: &mut Vec<u8>) {
    if length < 0x80 {
        to.push(length as u8);
    } else {
        let octets = length.to_be_bytes();
        let first = octets.iter().position(|octet| *octet != 0);
        let octets = first
            .and_then(|first| octets.get(first..))
            .unwrap_or_default();
        to.push(0x80 | octets.len() as u8);
        to.extend_from_slice(octets);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_sequence_of_integers_is_refused() {
        for bad in [
            &[][..],
            &[0x30],
            &[0x30, 0],
            &[0x30, 0x80],
            &[0x30, 6, 2, 1, 0x80, 2, 1, 1], // negative
            &[0x30, 5, 2, 0, 2, 1, 1],       // no octet
            &[0x30, 6, 2, 1, 1, 2, 1, 1, 0], // more behind
            &[0x30, 9, 2, 1, 1, 2, 1, 1, 2, 1, 1],
            &[0x30, 0x83, 0, 0, 6, 2, 1, 1, 2, 1, 1],
        ] {
            assert_eq!(read_integers::<2>(bad), None, "{bad:02x?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_can_be_read(mut y: Vec<u8>, mut hash: Vec<u8>) {
            let der = write_integers(&[&y, &hash]);
            for number in [&mut y, &mut hash] {
                let zeroes = number.iter().take_while(|octet| **octet == 0).count();
                number.drain(..zeroes);
            }
            prop_assert_eq!(read_integers(&der), Some([&y[..], &hash[..]]));
        }

        #[test]
        fn any_octets_are_read_without_panic(octets: Vec<u8>) {
            let _ = read_integers::<2>(&octets);
        }
    }
}
