//! Clocks of network cards, which stamp packets on the wire itself.

mod device;
mod line;

use std::{
    io,
    sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, Weak},
    thread::{self, Thread},
    time::Duration as Elapsed,
};

pub(crate) use self::line::CardStamp;
use self::{
    device::{CardClock, Sampling, Stamped},
    line::Line,
};
use crate::stamp::KernelStamp;

/// A network card that stamps packets by a clock of its own.
#[derive(Debug)]
pub struct Card {
    name: String,
    index: u32,
    clock: CardClock,
    sampling: Sampling,
    stamped: Stamped,
}

impl Card {
    /// Has the card of this interface stamp packets. One that does so already, for another program
    /// perhaps, is left as it is.
    ///
    /// # Errors
    ///
    /// [`CardError`]; then packets are stamped by the kernel, as ever.
    pub fn open(interface: &str) -> Result<Self, CardError> {
        let index = nix::net::if_::if_nametoindex(interface).map_err(|_| CardError::NoInterface)?;
        let ability = device::ability(interface).map_err(CardError::of(Step::Ask))?;
        let number = ability.clock.ok_or(CardError::NoClock)?;
        let clock = CardClock::open(number).map_err(CardError::of(Step::Clock))?;
        let sampling = clock.find_sampling().map_err(CardError::of(Step::Read))?;
        let stamped = device::start_stamping(interface, &ability)?;
        Ok(Self {
            name: interface.to_owned(),
            index,
            clock,
            sampling,
            stamped,
        })
    }

    /// The name of the interface.
    pub fn interface(&self) -> &str {
        &self.name
    }

    /// The name of its clock among the system's devices, such as `ptp0`.
    pub fn clock(&self) -> String {
        self.clock.name()
    }

    /// Whether packets that come are stamped; there are cards that stamp only what they send, and
    /// packets of other protocols.
    pub const fn stamps_arrivals(&self) -> bool {
        self.stamped.arrivals
    }
}

/// Network cards whose stamps are told as times of the kernel's clock, by comparing the clocks once
/// a second. It can be cloned; the comparing ends with the last one.
#[derive(Clone, Debug)]
pub struct Cards(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    cards: Vec<Card>,
    /// What is known of each card, in the same order.
    known: RwLock<Vec<Known>>,
    /// Who compares the clocks.
    keeper: OnceLock<Thread>,
}

/// What is known of a card.
#[derive(Clone, Debug)]
struct Known {
    index: u32,
    /// Megabits a second; 0 if the card does not say.
    speed: u32,
    line: Line,
}

impl Cards {
    /// How often clocks are compared.
    const INTERVAL: Elapsed = Elapsed::from_secs(1);
    /// How soon for the second time: nothing is known of the rate before.
    const FIRST_INTERVAL: Elapsed = Elapsed::from_millis(100);
    /// After so many comparisons the speed of the network is asked for again.
    const SPEED_EVERY: u32 = 64;

    /// These cards; their stamps are of no use before [`start`](Self::start).
    pub fn new(cards: Vec<Card>) -> Self {
        let known = cards.iter().map(|card| Known {
            index: card.index,
            speed: 0,
            line: Line::default(),
        });
        Self(Arc::new(Shared {
            known: RwLock::new(known.collect()),
            cards,
            keeper: OnceLock::new(),
        }))
    }

    /// Begins to compare the cards' clocks with the kernel's, in a thread of its own. Once is
    /// enough.
    ///
    /// # Errors
    ///
    /// What the system says if there can be no thread.
    pub fn start(&self) -> io::Result<()> {
        if self.0.keeper.get().is_some() {
            return Ok(());
        }
        let kept = Arc::downgrade(&self.0);
        let keeper = thread::Builder::new()
            .name("card-clocks".to_owned())
            .spawn(move || keep(&kept))?;
        let _ = self.0.keeper.set(keeper.thread().clone());
        Ok(())
    }

    /// Somebody has set the kernel's clock: stamps of cards are of no use until the clocks are
    /// compared again, which is soon.
    pub fn clock_was_set(&self) {
        for known in self.0.write().iter_mut() {
            known.line.forget();
        }
        if let Some(keeper) = self.0.keeper.get() {
            keeper.unpark();
        }
    }

    /// What is known now, for the packets of a batch.
    pub(crate) fn read(&self) -> CardReadings<'_> {
        CardReadings(self.0.known.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl PartialEq for Cards {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Cards {}

impl Shared {
    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Vec<Known>> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Compares the clocks, one after the other: nobody waits for a card.
    fn compare(&self, asks_speed: bool) {
        for (place, card) in self.cards.iter().enumerate() {
            let speed = asks_speed.then(|| device::speed(&card.name));
            let sample = card.clock.sample(card.sampling).ok().flatten();
            if let Some(known) = self.write().get_mut(place) {
                match sample {
                    Some(sample) => known.line.learn(sample),
                    None => known.line.forget(),
                }
                known.speed = speed.unwrap_or(known.speed);
            }
        }
    }
}

/// Compares clocks for as long as anybody cares.
fn keep(shared: &Weak<Shared>) {
    let mut count: u32 = 0;
    while let Some(shared) = shared.upgrade() {
        shared.compare(count.is_multiple_of(Cards::SPEED_EVERY));
        let is_young = shared.write().iter().any(|known| known.line.is_young());
        drop(shared);
        count = count.wrapping_add(1);
        thread::park_timeout(match is_young {
            true => Cards::FIRST_INTERVAL,
            false => Cards::INTERVAL,
        });
    }
}

/// What is known of cards at one time; held no longer than it takes to look at a batch.
pub(crate) struct CardReadings<'a>(RwLockReadGuard<'a, Vec<Known>>);

impl CardReadings<'_> {
    /// A card's stamp lies before the kernel's, by the time that the packet took from the one to
    /// the other. Beyond this, in nanoseconds, it is that of another packet, or a clock was set.
    const LONGEST_WAY: i64 = 100_000_000;
    /// Comparing clocks is not exact.
    const TOLERANCE: i64 = 20_000;
    /// What a card appends to a frame, which `length` does not count: the frame check sequence.
    const CHECK: u64 = 4;

    /// When a packet of `length` octets, from the Ethernet header on, had arrived: the card stamps
    /// its beginning, and NTP means its end. The kernel's own stamp, if the card's cannot be right.
    pub(crate) fn arrival(
        &self,
        index: u32,
        stamp: CardStamp,
        length: u64,
        kernel: Option<KernelStamp>,
    ) -> Option<KernelStamp> {
        let known = self.0.iter().find(|known| known.index == index);
        let found = known.and_then(|known| {
            let nanoseconds = match known.speed {
                0 => 0,
                // A bit takes 1000 / speed ns.
                speed => (length + Self::CHECK) * 8000 / u64::from(speed),
            };
            known.line.kernel_time(stamp.after(nanoseconds))
        });
        let (Some(found), Some(kernel)) = (found, kernel) else {
            return kernel;
        };
        let way = (kernel.kernel_time() - found.kernel_time()).to_nanos();
        let is_likely = (-Self::TOLERANCE..Self::LONGEST_WAY).contains(&way);
        Some(if is_likely { found } else { kernel })
    }

    /// When a packet left.
    pub(crate) fn departure(&self, index: u32, stamp: CardStamp) -> Option<KernelStamp> {
        let known = self.0.iter().find(|known| known.index == index)?;
        known.line.kernel_time(stamp)
    }
}

/// Why the stamps of a card can't be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CardError {
    /// There is no interface of this name.
    #[error("there is no such interface; `ip link` lists them")]
    NoInterface,
    /// Its card has no clock, or its driver does not know of it.
    #[error("its card has no clock that stamps packets")]
    NoClock,
    /// The card can't stamp packets of NTP in either direction.
    #[error("its card stamps no packets of NTP")]
    OtherPackets,
    /// The rights are missing.
    #[error(
        "not allowed to {0}: run as root, or with CAP_NET_ADMIN and the right to read the clock's \
         device"
    )]
    NotPermitted(&'static str),
    /// The system refused.
    #[error("can't {what}: {source}")]
    Refused {
        /// What it was asked for.
        what: &'static str,
        /// What it said.
        source: io::Error,
    },
}

/// What is asked of the system, in the order of asking.
#[derive(Clone, Copy)]
enum Step {
    Ask,
    Clock,
    Read,
    Stamp,
}

impl CardError {
    fn of(step: Step) -> impl FnOnce(io::Error) -> Self {
        let what = match step {
            Step::Ask => "ask the card what it can",
            Step::Stamp => "have the card stamp packets",
            Step::Clock => "open the card's clock",
            Step::Read => "compare the card's clock with the kernel's",
        };
        move |source| match (source.raw_os_error(), source.kind()) {
            // What drivers say that know nothing of all this.
            (Some(libc::EOPNOTSUPP | libc::ENOTTY), _) => Self::NoClock,
            (_, io::ErrorKind::PermissionDenied) => Self::NotPermitted(what),
            _ => Self::Refused { what, source },
        }
    }
}

#[cfg(test)]
mod tests;
