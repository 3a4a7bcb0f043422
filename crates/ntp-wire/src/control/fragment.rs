//! A response in pieces.

use super::ControlError;

/// One piece of a response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fragment<'a> {
    /// Where its data belong in the response, in octets.
    pub offset: u16,
    /// Whether another piece follows.
    pub more: bool,
    /// Its data: 468 octets but for the last one.
    pub data: &'a [u8],
}

impl Fragment<'_> {
    /// Octets of data in the longest fragment (RFC 9327 section 2): with header, padding and MAC it
    /// stays under the 576 octets that every IPv4 path carries.
    pub const LONGEST: usize = 468;
}

/// Cuts a response into [`Fragment`]s, without copying.
///
/// ```
/// use ntp_wire::control::Fragments;
///
/// let mut fragments = Fragments::new(&[b'x'; 500])?;
/// let first = fragments.next().expect("there is always one");
/// assert_eq!((first.offset, first.more, first.data.len()), (0, true, 468));
/// let last = fragments.next().expect("468 octets are not all");
/// assert_eq!((last.offset, last.more, last.data.len()), (468, false, 32));
/// assert_eq!(fragments.next(), None);
/// # Ok::<(), ntp_wire::control::ControlError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Fragments<'a> {
    offset: u16,
    left: Option<&'a [u8]>,
}

impl<'a> Fragments<'a> {
    /// The longest response that offsets of 16 bits can tell.
    pub const LONGEST_RESPONSE: usize = 65535;

    /// The pieces of `response`; an empty one still makes one empty piece.
    ///
    /// # Errors
    ///
    /// [`ControlError::DataTooLong`] above 65535 octets.
    pub const fn new(response: &'a [u8]) -> Result<Self, ControlError> {
        if response.len() > Self::LONGEST_RESPONSE {
            return Err(ControlError::DataTooLong {
                length: response.len(),
                limit: Self::LONGEST_RESPONSE,
            });
        }
        Ok(Self {
            offset: 0,
            left: Some(response),
        })
    }
}

impl<'a> Iterator for Fragments<'a> {
    type Item = Fragment<'a>;

    fn next(&mut self) -> Option<Fragment<'a>> {
        let left = self.left.take()?;
        let (data, rest) = left
            .split_at_checked(Fragment::LONGEST)
            .unwrap_or((left, &[]));
        let offset = self.offset;
        self.offset = offset.saturating_add(data.len() as u16);
        self.left = (!rest.is_empty()).then_some(rest);
        Some(Fragment {
            offset,
            more: self.left.is_some(),
            data,
        })
    }
}
