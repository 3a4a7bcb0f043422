//! The kernel's side: maps, programs and links, by the `bpf` system call.
#![allow(unsafe_code)]

use std::{
    ffi::CStr,
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    ptr::NonNull,
    sync::atomic::{AtomicU64, Ordering},
};

/// What the system call is asked for.
#[derive(Clone, Copy)]
enum Command {
    MapCreate = 0,
    MapUpdate = 2,
    MapDelete = 3,
    ProgramLoad = 5,
    ProgramTestRun = 10,
    MapTakeBatch = 25,
    LinkCreate = 28,
}

/// Kinds of maps.
#[derive(Clone, Copy, Debug)]
pub(super) enum MapKind {
    Hash = 1,
    Array = 2,
    RecentHash = 9,
    Prefixes = 11,
}

const NO_PREALLOCATION: u32 = 1;
const MAPPABLE: u32 = 1 << 10;
const XDP: u32 = 6;
const ATTACH_XDP: u32 = 37;
/// `ld_imm64` with the descriptor of a map in place of a number.
const PSEUDO_MAP: u8 = 1;

/// A map in the kernel.
#[derive(Debug)]
pub(super) struct Map {
    descriptor: OwnedFd,
    key: usize,
    value: usize,
    entries: u32,
}

impl Map {
    /// A map of `entries` at most, whose keys and values have so many octets.
    pub(super) fn new(kind: MapKind, key: usize, value: usize, entries: u32) -> io::Result<Self> {
        #[repr(C)]
        struct Attributes {
            kind: u32,
            key: u32,
            value: u32,
            entries: u32,
            flags: u32,
        }
        let mut attributes = Attributes {
            kind: kind as u32,
            key: key as u32,
            value: value as u32,
            entries,
            flags: match kind {
                MapKind::Array => MAPPABLE,
                MapKind::Prefixes => NO_PREALLOCATION,
                MapKind::Hash | MapKind::RecentHash => 0,
            },
        };
        Ok(Self {
            descriptor: descriptor(Command::MapCreate, &mut attributes)?,
            key,
            value,
            entries,
        })
    }

    /// Sets what `key` has; [`remove`](Self::remove) is the opposite.
    pub(super) fn insert(&self, key: &[u8], value: &[u8]) -> io::Result<()> {
        if (key.len(), value.len()) != (self.key, self.value) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.element(Command::MapUpdate, key, value.as_ptr() as u64)
    }

    /// Leaves `key` out.
    pub(super) fn remove(&self, key: &[u8]) -> io::Result<()> {
        if key.len() != self.key {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.element(Command::MapDelete, key, 0)
    }

    /// Takes all that a [`MapKind::RecentHash`] holds out of it.
    pub(super) fn drain(&self, mut take: impl FnMut(&[u8], &[u8])) -> io::Result<()> {
        #[repr(C)]
        struct Attributes {
            from: u64,
            next: u64,
            keys: u64,
            values: u64,
            count: u32,
            map: u32,
            element_flags: u64,
            flags: u64,
        }
        const AT_ONCE: u32 = 2048;
        let mut keys = vec![0_u8; self.key * AT_ONCE as usize];
        let mut values = vec![0_u8; self.value * AT_ONCE as usize];
        let mut position = 0_u32;
        let mut is_first = true;
        // What comes meanwhile may be taken too, but not for ever.
        for _ in 0..=self.entries.div_ceil(AT_ONCE) * 2 {
            let mut next = 0_u32;
            let mut attributes = Attributes {
                from: match is_first {
                    true => 0,
                    false => std::ptr::from_ref(&position) as u64,
                },
                next: std::ptr::from_mut(&mut next) as u64,
                keys: keys.as_mut_ptr() as u64,
                values: values.as_mut_ptr() as u64,
                count: AT_ONCE,
                map: self.descriptor.as_raw_fd() as u32,
                element_flags: 0,
                flags: 0,
            };
            let result = call(Command::MapTakeBatch, &mut attributes);
            let is_last = match result {
                Ok(_) => false,
                // After the last ones.
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => true,
                Err(error) => return Err(error),
            };
            let keys = keys.chunks_exact(self.key);
            let values = values.chunks_exact(self.value);
            for (key, value) in keys.zip(values).take(attributes.count as usize) {
                take(key, value);
            }
            if is_last {
                break;
            }
            (position, is_first) = (next, false);
        }
        Ok(())
    }

    fn element(&self, command: Command, key: &[u8], value: u64) -> io::Result<()> {
        #[repr(C)]
        struct Attributes {
            map: u64,
            key: u64,
            value: u64,
            flags: u64,
        }
        let mut attributes = Attributes {
            map: self.descriptor.as_raw_fd() as u64,
            key: key.as_ptr() as u64,
            value,
            flags: 0,
        };
        call(command, &mut attributes).map(drop)
    }
}

/// A map of kind [`MapKind::Array`] in this process's memory, as words of 64 bits.
#[derive(Debug)]
pub(super) struct Shared {
    words: NonNull<AtomicU64>,
    count: usize,
    octets: usize,
}

// SAFETY: the memory is reached by atomic operations only, from whichever thread.
unsafe impl Send for Shared {}

impl Shared {
    /// Shares `map`, the value of which is a whole number of words.
    pub(super) fn new(map: &Map) -> io::Result<Self> {
        let octets = (map.value * map.entries as usize).next_multiple_of(page_size());
        // SAFETY: a new mapping, where the system wants it.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                octets,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                map.descriptor.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            words: NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?,
            count: map.value * map.entries as usize / 8,
            octets,
        })
    }

    /// The word at `index`, if there are so many.
    pub(super) fn read(&self, index: usize) -> Option<u64> {
        self.word(index).map(|word| word.load(Ordering::Relaxed))
    }

    /// Writes a word, after all that was written before.
    pub(super) fn write(&self, index: usize, value: u64) {
        if let Some(word) = self.word(index) {
            word.store(value, Ordering::Release);
        }
    }

    /// How many words there are.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    fn word(&self, index: usize) -> Option<&AtomicU64> {
        // SAFETY: `count` words lie within the mapping, which lives as long as `self`; it begins
        // on a page, so they are aligned; the program writes whole words.
        (index < self.count).then(|| unsafe { self.words.add(index).as_ref() })
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: it is the mapping of `new`, and nothing refers to it any more.
        unsafe { libc::munmap(self.words.as_ptr().cast(), self.octets) };
    }
}

fn page_size() -> usize {
    // SAFETY: a plain question.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(4096)
}

/// A program that the kernel has found safe.
#[derive(Debug)]
pub(super) struct Program(OwnedFd);

impl Program {
    /// Hands `code` to the kernel, with the descriptors of `maps` where their numbers stand.
    pub(super) fn load(code: &[u8], name: &CStr, maps: &[Map]) -> io::Result<Self> {
        #[repr(C)]
        struct Attributes {
            kind: u32,
            count: u32,
            code: u64,
            license: u64,
            log_level: u32,
            log_size: u32,
            log: u64,
            kernel: u32,
            flags: u32,
            name: [u8; 16],
            interface: u32,
            attach: u32,
        }
        /// It calls nothing that the kernel keeps for programs under the GPL.
        const LICENSE: &CStr = c"MIT OR Apache-2.0";
        let descriptors: Vec<RawFd> = maps.iter().map(|map| map.descriptor.as_raw_fd()).collect();
        let code = linked(code, &descriptors)?;
        let mut attributes = Attributes {
            kind: XDP,
            count: (code.len() / 8) as u32,
            code: code.as_ptr() as u64,
            license: LICENSE.as_ptr() as u64,
            log_level: 0,
            log_size: 0,
            log: 0,
            kernel: 0,
            flags: 0,
            name: [0; 16],
            interface: 0,
            attach: ATTACH_XDP,
        };
        for (to, from) in attributes.name.iter_mut().take(15).zip(name.to_bytes()) {
            *to = *from;
        }
        let refused = match descriptor(Command::ProgramLoad, &mut attributes) {
            Ok(program) => return Ok(Self(program)),
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => return Err(error),
            Err(error) => error,
        };
        // Once more, to hear why.
        let mut log = vec![0_u8; 1 << 20];
        attributes.log_level = 1;
        attributes.log_size = log.len() as u32;
        attributes.log = log.as_mut_ptr() as u64;
        match descriptor(Command::ProgramLoad, &mut attributes) {
            Ok(program) => Ok(Self(program)),
            Err(_) => Err(io::Error::new(refused.kind(), reason(&log, &refused))),
        }
    }

    /// Lets it see what comes in on the interface of that number, until the link is dropped, or
    /// the process ends.
    pub(super) fn attach(&self, interface: u32, flags: u32) -> io::Result<OwnedFd> {
        #[repr(C)]
        struct Attributes {
            program: u32,
            interface: u32,
            attach: u32,
            flags: u32,
        }
        let mut attributes = Attributes {
            program: self.0.as_raw_fd() as u32,
            interface,
            attach: ATTACH_XDP,
            flags,
        };
        descriptor(Command::LinkCreate, &mut attributes)
    }

    /// What it does with `frame`, and what it makes of it.
    pub(super) fn run(&self, frame: &[u8]) -> io::Result<(u32, Vec<u8>)> {
        #[repr(C)]
        struct Attributes {
            program: u32,
            verdict: u32,
            size_in: u32,
            size_out: u32,
            data_in: u64,
            data_out: u64,
            repeat: u32,
            duration: u32,
        }
        let mut out = vec![0; 2048];
        let mut attributes = Attributes {
            program: self.0.as_raw_fd() as u32,
            verdict: 0,
            size_in: frame.len() as u32,
            size_out: out.len() as u32,
            data_in: frame.as_ptr() as u64,
            data_out: out.as_mut_ptr() as u64,
            repeat: 1,
            duration: 0,
        };
        call(Command::ProgramTestRun, &mut attributes)?;
        out.truncate(attributes.size_out as usize);
        Ok((attributes.verdict, out))
    }
}

/// The verifier's last words but its statistics.
fn reason(log: &[u8], refused: &io::Error) -> String {
    let text = log.split(|octet| *octet == 0).next().unwrap_or_default();
    let text = String::from_utf8_lossy(text);
    let last = text
        .lines()
        .rfind(|line| !line.is_empty() && !line.starts_with("processed "));
    match last {
        Some(line) => format!("{refused}: {line}"),
        None => refused.to_string(),
    }
}

/// `code` with descriptors in place of the marks that answer.c sets for maps.
fn linked(code: &[u8], maps: &[RawFd]) -> io::Result<Vec<u8>> {
    const LOAD_NUMBER: u8 = 0x18;
    const MARK: u32 = 0x006e_7470;
    let invalid = || io::Error::from(io::ErrorKind::InvalidData);
    let mut code = code.to_vec();
    let (instructions, rest) = code.as_chunks_mut::<8>();
    if !rest.is_empty() {
        return Err(invalid());
    }
    let mut index = 0;
    while let Some([instruction, following @ ..]) = instructions.get_mut(index..) {
        index += 1;
        if instruction[0] != LOAD_NUMBER {
            continue;
        }
        // It takes two: the upper half of the number stands in the second.
        index += 1;
        let upper = following.first_mut().ok_or_else(invalid)?;
        let [.., a, b, c, d] = *upper;
        let marked = u32::from_le_bytes([a, b, c, d]);
        if marked >> 8 != MARK {
            continue;
        }
        let map = maps.get((marked & 0xff) as usize).ok_or_else(invalid)?;
        instruction[1] |= PSEUDO_MAP << 4;
        instruction[4..].copy_from_slice(&map.to_le_bytes());
        upper[4..].copy_from_slice(&[0; 4]);
    }
    Ok(code)
}

/// Lets kernels before 5.11, which count maps as locked memory, have them.
pub(super) fn lift_memory_limit() {
    let unlimited = libc::rlimit {
        rlim_cur: libc::RLIM_INFINITY,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: the pointer is to a structure that lives through the call. Where it is refused, the
    // kernel will say whether it matters.
    unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &unlimited) };
}

fn descriptor<T>(command: Command, attributes: &mut T) -> io::Result<OwnedFd> {
    let number = call(command, attributes)?;
    let number = RawFd::try_from(number).map_err(io::Error::other)?;
    // SAFETY: these commands answer with a new descriptor that is nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// One call. Pointers in `attributes` are to memory that outlives it.
fn call<T>(command: Command, attributes: &mut T) -> io::Result<libc::c_long> {
    // SAFETY: the kernel reads and writes `size_of::<T>()` octets of a structure of integers, laid
    // out as it defines them for this command, and what their pointers refer to, of the sizes that
    // they say or that the map has.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command as libc::c_int,
            std::ptr::from_mut(attributes),
            size_of::<T>(),
        )
    };
    match result {
        result if result < 0 => Err(io::Error::last_os_error()),
        result => Ok(result),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_take_the_place_of_marks_and_nothing_else() {
        let mark = |number| {
            [
                [0x18, 1, 0, 0, 0, 0, 0, 0],
                [0, 0, 0, 0, number, 0x70, 0x74, 0x6e],
            ]
        };
        let other = [[0x18, 2, 0, 0, 0xff, 0xff, 0xff, 0xff], [0; 8]];
        let code = [mark(1), other, mark(0)].concat().concat();
        let linked = linked(&code, &[7, 300]).unwrap();
        assert_eq!(linked[..8], [0x18, 0x11, 0, 0, 0x2c, 1, 0, 0]);
        assert_eq!(linked[8..16], [0; 8]);
        assert_eq!(linked[16..32], other.concat()[..]);
        assert_eq!(linked[32..40], [0x18, 0x11, 0, 0, 7, 0, 0, 0]);
    }

    #[test]
    fn code_that_is_none_is_refused() {
        let beyond = [
            [0x18, 1, 0, 0, 0, 0, 0, 0],
            [0, 0, 0, 0, 2, 0x70, 0x74, 0x6e],
        ]
        .concat();
        for code in [&beyond[..], &beyond[..8], &beyond[..9]] {
            assert!(linked(code, &[7, 8]).is_err(), "{code:?}");
        }
    }
}
