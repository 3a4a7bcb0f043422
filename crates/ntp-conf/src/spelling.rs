//! Guesses what a misspelled word was meant to be.

/// Words that are longer are nobody's slip.
const LONGEST: usize = 24;

/// The nearest of `allowed`, if it is near enough to be a guess worth making.
pub(crate) fn nearest<'a>(word: &str, allowed: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if word.is_empty() || word.len() > LONGEST {
        return None;
    }
    let lower = word.to_ascii_lowercase();
    let limit = (word.len() / 3).max(1);
    allowed
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= limit)
        .map(|candidate| (distance(lower.as_bytes(), candidate.as_bytes()), candidate))
        .filter(|(distance, candidate)| *distance <= limit && *distance < candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many insertions, deletions, replacements and swaps of neighbours make one word the other.
fn distance(from: &[u8], to: &[u8]) -> usize {
    const FAR: usize = usize::MAX / 2;
    let at = |row: &[usize], index: usize| row.get(index).copied().unwrap_or(FAR);
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    let mut next = Vec::with_capacity(to.len() + 1);
    for (i, a) in from.iter().enumerate() {
        next.clear();
        next.push(i + 1);
        for (j, b) in to.iter().enumerate() {
            let mut best = (at(&row, j) + usize::from(a != b))
                .min(at(&row, j + 1) + 1)
                .min(at(&next, j) + 1);
            let swapped = i > 0 && j > 0 && from.get(i - 1) == Some(b) && to.get(j - 1) == Some(a);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            next.push(best);
        }
        // The rows change places, so that no new ones are made.
        std::mem::swap(&mut before, &mut row);
        std::mem::swap(&mut row, &mut next);
    }
    row.last().copied().unwrap_or(0)
}

/// `a`, `b` or `c`.
pub(crate) fn list(words: &[&str]) -> String {
    let mut text = String::new();
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            text.push_str(if index + 1 == words.len() {
                " or "
            } else {
                ", "
            });
        }
        text.push('`');
        text.push_str(word);
        text.push('`');
    }
    text
}

/// A word as a message may repeat it: not endless, nothing that a terminal would act on.
pub(crate) fn shown(word: &str) -> String {
    const MOST: usize = 40;
    let mut text: String = word
        .chars()
        .take(MOST)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if word.chars().nth(MOST).is_some() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_only_what_is_near() {
        let words = ["server", "restrict", "key", "keys", "driftfile"];
        let nearest = |word| nearest(word, words.into_iter());
        assert_eq!(nearest("sever"), Some("server"));
        assert_eq!(nearest("SERVER"), Some("server"));
        assert_eq!(nearest("serevr"), Some("server"));
        assert_eq!(nearest("resrtict"), Some("restrict"));
        assert_eq!(nearest("zebra"), None);
        assert_eq!(nearest("x"), None);
        assert_eq!(nearest(""), None);
        assert_eq!(nearest(&"server".repeat(99)), None);
    }
}
