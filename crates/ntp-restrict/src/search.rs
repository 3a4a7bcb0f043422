//! The search behind the restrict list, for addresses of either family.

use core::net::IpAddr;

use crate::{RestrictEntry, Scope};

/// The entries of one family, arranged for look-up. IPv4 addresses stand in the low 32 bits.
#[derive(Clone, Debug, Default)]
pub(crate) struct SearchTable {
    /// Where each stretch of addresses with the same answers begins; the first begins at 0.
    starts: Vec<u128>,
    answers: Vec<Answer>,
    /// Entries whose mask has gaps, by falling precedence.
    gapped: Vec<Gapped>,
}

/// The entries that count for a stretch of addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Answer {
    ntp_port: Option<Ranked>,
    any_port: Option<Ranked>,
}

/// An entry by its place in the order of precedence: the lower wins.
type Ranked = u32;

#[derive(Clone, Copy, Debug)]
struct Gapped {
    address: u128,
    mask: u128,
    scope: Scope,
    rank: Ranked,
}

#[derive(Clone, Copy)]
struct Block {
    first: u128,
    last: u128,
    answer: Answer,
}

impl SearchTable {
    /// Of `entries` of one family, in the order of precedence; the answers are their places plus
    /// `offset`.
    pub(crate) fn new(entries: &[RestrictEntry], offset: usize) -> Self {
        let mut table = Self::default();
        // By rising address and falling length, so that what holds others comes before them.
        let mut blocks: Vec<Block> = Vec::new();
        for (place, entry) in entries.iter().enumerate().rev() {
            let Ok(rank) = Ranked::try_from(place + offset) else {
                continue;
            };
            let address = bits(entry.target.address());
            let mask = bits(entry.target.mask());
            let scope = entry.target.scope();
            if entry.target.prefix_length().is_none() {
                table.gapped.push(Gapped {
                    address,
                    mask,
                    scope,
                    rank,
                });
                continue;
            }
            let last = address | (!mask & all_ones(entry.target.address()));
            let answer = match scope {
                Scope::AnyPort => Answer {
                    ntp_port: Some(rank),
                    any_port: Some(rank),
                },
                Scope::NtpPort | Scope::OwnAddress => Answer {
                    ntp_port: Some(rank),
                    any_port: None,
                },
            };
            match blocks.last_mut() {
                Some(same) if same.first == address && same.last == last => {
                    same.answer = answer.or(same.answer);
                }
                _ => blocks.push(Block {
                    first: address,
                    last,
                    answer,
                }),
            }
        }
        table.gapped.reverse();
        table.spread(&blocks);
        table
    }

    /// Makes one row of stretches of nested blocks.
    fn spread(&mut self, blocks: &[Block]) {
        let mut open: Vec<Block> = Vec::new();
        for block in blocks {
            self.close(&mut open, Some(block.first));
            let outer = open.last().map(|outer| outer.answer).unwrap_or_default();
            let block = Block {
                answer: block.answer.or(outer),
                ..*block
            };
            self.begin(block.first, block.answer);
            open.push(block);
        }
        self.close(&mut open, None);
    }

    /// Ends the blocks that end before `next`, all if there is no more.
    fn close(&mut self, open: &mut Vec<Block>, next: Option<u128>) {
        while let Some(block) = open.pop_if(|block| next.is_none_or(|next| block.last < next)) {
            let outer = open.last().map(|outer| outer.answer).unwrap_or_default();
            if let Some(after) = block.last.checked_add(1) {
                self.begin(after, outer);
            }
        }
    }

    fn begin(&mut self, start: u128, answer: Answer) {
        if self.starts.last() == Some(&start) {
            self.starts.pop();
            self.answers.pop();
        }
        if self.answers.last() != Some(&answer) {
            self.starts.push(start);
            self.answers.push(answer);
        }
    }

    /// The place of the entry that counts for `address`.
    pub(crate) fn lookup(&self, address: u128, from_ntp_port: bool) -> Option<usize> {
        let after = self.starts.partition_point(|start| *start <= address);
        let answer = after
            .checked_sub(1)
            .and_then(|place| self.answers.get(place));
        let contiguous = answer.and_then(|answer| {
            if from_ntp_port {
                answer.ntp_port
            } else {
                answer.any_port
            }
        });
        let gapped = self
            .gapped
            .iter()
            .find(|entry| {
                entry.address == address & entry.mask
                    && (from_ntp_port || entry.scope == Scope::AnyPort)
            })
            .map(|entry| entry.rank);
        let best = match (contiguous, gapped) {
            (Some(contiguous), Some(gapped)) => Some(contiguous.min(gapped)),
            (one, other) => one.or(other),
        };
        best.and_then(|rank| usize::try_from(rank).ok())
    }
}

impl Answer {
    /// These, and those of `other` where there are none.
    fn or(self, other: Self) -> Self {
        Self {
            ntp_port: self.ntp_port.or(other.ntp_port),
            any_port: self.any_port.or(other.any_port),
        }
    }
}

const fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits() as u128,
        IpAddr::V6(address) => address.to_bits(),
    }
}

const fn all_ones(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(_) => u32::MAX as u128,
        IpAddr::V6(_) => u128::MAX,
    }
}
