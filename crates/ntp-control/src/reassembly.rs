//! A response put together from its fragments, in bounded memory.

/// Why fragments make no response.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReassemblyError {
    /// Two fragments claim the same octets.
    #[error("fragments of the response overlap at octet {offset}; ask again")]
    Overlap {
        /// Where.
        offset: usize,
    },
    /// A fragment lies behind the last one, or two claim to be the last.
    #[error("a fragment of the response ends at octet {end}, after its last one; ask again")]
    BehindEnd {
        /// Where it ends.
        end: usize,
    },
    /// The response is longer than any server's.
    #[error("Buffer size exceeded for returned data")]
    TooLong,
    /// More fragments than any server sends.
    #[error("response in more than {} fragments", Reassembly::MOST_FRAGMENTS)]
    TooManyFragments,
}

/// Fragments in any order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reassembly {
    data: Vec<u8>,
    /// Start and end of each fragment, in ascending order; they do not overlap.
    spans: Vec<(usize, usize)>,
    covered: usize,
    end: Option<usize>,
}

impl Reassembly {
    /// Octets of the longest response that is taken.
    pub(crate) const LONGEST: usize = 32_768;
    /// Fragments of a response at most; a server that fills them needs 71 for the longest one.
    pub(crate) const MOST_FRAGMENTS: usize = 128;

    /// Takes a fragment; `false` if it has been there before.
    pub(crate) fn insert(
        &mut self,
        offset: usize,
        data: &[u8],
        more: bool,
    ) -> Result<bool, ReassemblyError> {
        let end = offset + data.len();
        if end > Self::LONGEST {
            return Err(ReassemblyError::TooLong);
        }
        if self.spans.contains(&(offset, end)) {
            return Ok(false);
        }
        if self.end.is_some_and(|last| end > last || !more) {
            return Err(ReassemblyError::BehindEnd { end });
        }
        if self.spans.len() >= Self::MOST_FRAGMENTS {
            return Err(ReassemblyError::TooManyFragments);
        }
        let at = self.spans.partition_point(|&(start, _)| start < offset);
        let before = at.checked_sub(1).and_then(|before| self.spans.get(before));
        let overlaps = before.is_some_and(|&(_, before)| before > offset)
            || self.spans.get(at).is_some_and(|&(after, _)| end > after);
        if overlaps {
            return Err(ReassemblyError::Overlap { offset });
        }
        if !more {
            if let Some(&(_, behind)) = self.spans.last().filter(|&&(_, behind)| behind > end) {
                return Err(ReassemblyError::BehindEnd { end: behind });
            }
            self.end = Some(end);
        }
        self.spans.insert(at, (offset, end));
        if self.data.len() < end {
            self.data.resize(end, 0);
        }
        if let Some(place) = self.data.get_mut(offset..end) {
            place.copy_from_slice(data);
        }
        self.covered += data.len();
        Ok(true)
    }

    /// Whether nothing has come yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// How many fragments have come.
    pub(crate) fn fragments(&self) -> usize {
        self.spans.len()
    }

    /// Whether everything has come.
    pub(crate) fn is_complete(&self) -> bool {
        self.end == Some(self.covered)
    }

    /// Takes what has come, and forgets it.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        core::mem::take(self).data
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn order_does_not_matter_and_repetition_is_harmless() {
        let mut reassembly = Reassembly::default();
        assert_eq!(reassembly.insert(3, b"def", false), Ok(true));
        assert!(!reassembly.is_complete());
        assert_eq!(reassembly.insert(3, b"def", false), Ok(false));
        assert_eq!(reassembly.insert(0, b"abc", true), Ok(true));
        assert!(reassembly.is_complete());
        assert_eq!(reassembly.fragments(), 2);
        assert_eq!(reassembly.take(), b"abcdef");
        assert!(reassembly.is_empty() && !reassembly.is_complete());
    }

    #[test]
    fn an_empty_response_is_complete() {
        let mut reassembly = Reassembly::default();
        assert_eq!(reassembly.insert(0, b"", false), Ok(true));
        assert!(reassembly.is_complete());
    }

    #[test]
    fn overlaps_are_refused() {
        let mut reassembly = Reassembly::default();
        reassembly.insert(10, b"0123456789", true).unwrap();
        for (offset, data) in [
            (9, &b"xx"[..]),
            (19, b"x"),
            (12, b"xx"),
            (5, b"0123456789abcdefghij"),
        ] {
            assert_eq!(
                reassembly.insert(offset, data, true),
                Err(ReassemblyError::Overlap { offset })
            );
        }
        assert_eq!(
            reassembly.insert(0, b"x", false),
            Err(ReassemblyError::BehindEnd { end: 20 })
        );
        reassembly.insert(20, b"x", false).unwrap();
        assert_eq!(
            reassembly.insert(21, b"x", true),
            Err(ReassemblyError::BehindEnd { end: 22 })
        );
        assert_eq!(
            reassembly.insert(0, b"x", false),
            Err(ReassemblyError::BehindEnd { end: 1 })
        );
    }

    #[test]
    fn memory_is_bounded() {
        let mut reassembly = Reassembly::default();
        assert_eq!(
            reassembly.insert(32_760, &[0; 9], false),
            Err(ReassemblyError::TooLong)
        );
        for fragment in 0..Reassembly::MOST_FRAGMENTS {
            assert_eq!(reassembly.insert(2 * fragment, b"x", true), Ok(true));
        }
        assert_eq!(
            reassembly.insert(4000, b"x", true),
            Err(ReassemblyError::TooManyFragments)
        );
    }

    proptest! {
        #[test]
        fn complete_means_every_octet_once(fragments in prop::collection::vec((0usize..40, 0usize..12, any::<bool>()), 0..40)) {
            let mut reassembly = Reassembly::default();
            let mut octets = vec![0u32; 64];
            for (offset, length, more) in fragments {
                if reassembly.insert(offset, &vec![b'x'; length], more) == Ok(true) {
                    octets[offset..offset + length].iter_mut().for_each(|octet| *octet += 1);
                }
            }
            prop_assert!(octets.iter().all(|&octet| octet <= 1));
            if reassembly.is_complete() {
                let length = reassembly.take().len();
                prop_assert!(octets[..length].iter().all(|&octet| octet == 1));
                prop_assert!(octets[length..].iter().all(|&octet| octet == 0));
            }
        }
    }
}
