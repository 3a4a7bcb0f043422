//! The list of associations, and ntpq's table of it.

use core::fmt::Write;

use ntp_wire::{
    AssociationId,
    control::{PeerStatus, Selection},
};

/// One entry of the response to "read status" of the system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Association {
    /// Its number.
    pub id: AssociationId,
    /// How it is.
    pub status: PeerStatus,
}

impl Association {
    /// Whether `associations` and `peers` show it: configured, or answered one of the last polls.
    /// The commands that begin with `l` show all.
    pub const fn is_of_interest(&self) -> bool {
        self.status.is_configured() || self.status.is_reachable()
    }
}

/// Why data are no list of associations.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AssociationListError {
    /// Half an entry is left over.
    #[error("Server returned {length} octets, should be multiple of 4")]
    HalfEntry {
        /// Octets of the list.
        length: usize,
    },
}

/// Reads the list, in ascending order of the numbers, which is how `&1`, `&2` ... count.
///
/// # Errors
///
/// [`AssociationListError::HalfEntry`] if the data do not end with an entry.
pub fn parse(data: &[u8]) -> Result<Vec<Association>, AssociationListError> {
    let (entries, rest) = data.as_chunks();
    if !rest.is_empty() {
        return Err(AssociationListError::HalfEntry { length: data.len() });
    }
    let mut list: Vec<_> = entries
        .iter()
        .map(|&[a, b, c, d]| Association {
            id: AssociationId::new(u16::from_be_bytes([a, b])),
            status: PeerStatus::from_bits(u16::from_be_bytes([c, d])),
        })
        .collect();
    list.sort_by_key(|association| association.id);
    Ok(list)
}

/// ntpq's table of associations, of all or of those of interest; the first column is the place in
/// `list`.
///
/// ```
/// use ntp_control::associations;
///
/// let list = associations::parse(&[0x6e, 0x2b, 0x96, 0x1a])?;
/// assert_eq!(
///     associations::table(&list, false),
///     "\
/// ind assid status  conf reach auth condition  last_event cnt
/// ===========================================================
///   1 28203  961a   yes   yes  none  sys.peer    sys_peer  1
/// "
/// );
/// # Ok::<(), associations::AssociationListError>(())
/// ```
pub fn table(list: &[Association], all: bool) -> String {
    let mut text = format!(
        "ind assid status  conf reach auth condition  last_event cnt\n{:=<59}\n",
        ""
    );
    for (index, association) in list.iter().enumerate() {
        if !all && !association.is_of_interest() {
            continue;
        }
        let status = association.status;
        let authentication = match (status.is_authentication_enabled(), status.is_authentic()) {
            (false, _) => "none",
            (true, true) => "ok ",
            (true, false) => "bad",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:3} {:5}  {:04x}   {:>3}  {:>4}  {authentication:>4} {:>9} {:>11} {:2}",
            index + 1,
            association.id.value(),
            status.to_bits(),
            yes(status.is_configured()),
            yes(status.is_reachable()),
            condition(status.selection()),
            event(status.event()),
            status.event_count()
        );
    }
    text
}

fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

fn condition(selection: Selection) -> &'static str {
    let word = selection.word();
    word.strip_prefix("sel_").unwrap_or(word)
}

/// The table's words differ from those of a status line in one, and end before it does.
fn event(event: u8) -> &'static str {
    match event {
        11 => "clock_alarm",
        1..=10 => PeerStatus::word_of_event(event),
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_of_the_reference() {
        let words = [
            0x961a, 0x7414, 0x8011, 0x1424, 0x08cc, 0x9177, 0xe099, 0xc0aa, 0xa0bb, 0x94ff,
        ];
        let list: Vec<_> = (100u16..)
            .zip(words)
            .map(|(id, status)| Association {
                id: AssociationId::new(id),
                status: PeerStatus::from_bits(status),
            })
            .collect();
        assert_eq!(
            table(&list, false),
            "\
ind assid status  conf reach auth condition  last_event cnt
===========================================================
  1   100  961a   yes   yes  none  sys.peer    sys_peer  1
  2   101  7414    no   yes   ok  candidate   reachable  1
  3   102  8011   yes    no  none    reject    mobilize  1
  4   103  1424    no   yes  none candidate   reachable  2
  6   105  9177   yes   yes  none falsetick rate_exceeded  7
  7   106  e099   yes    no   ok     reject  leap_armed  9
  8   107  c0aa   yes    no   bad    reject    sys_peer 10
  9   108  a0bb   yes    no  none    reject clock_alarm 11
 10   109  94ff   yes   yes  none candidate             15
"
        );
        assert_eq!(table(&list, true).lines().count(), 12);
    }

    #[test]
    fn half_an_entry_is_no_list() {
        assert_eq!(
            parse(&[0; 6]),
            Err(AssociationListError::HalfEntry { length: 6 })
        );
        assert_eq!(parse(&[]), Ok(Vec::new()));
        let list = parse(&[0, 9, 0, 0, 0, 2, 0, 0]).unwrap();
        assert_eq!(list[0].id.value(), 2);
    }
}
