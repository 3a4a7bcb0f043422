//! Several sockets at one address, each for a thread.
#![allow(unsafe_code)]

use std::{io, net::SocketAddr, os::fd::AsRawFd, ptr};

use nix::sys::socket::{setsockopt, sockopt};

use super::{Batch, NtpSocket, SocketOptions};

impl NtpSocket {
    /// Opens `count` more sockets at the address of this one, which goes on receiving all that
    /// comes there until [`share`](Self::share) is called. All are closed together.
    ///
    /// It is bound already, and alone: whoever else wanted the address was refused. From now on
    /// other programs of the same user can join as well.
    ///
    /// # Errors
    ///
    /// What the system says; then this socket is as it was.
    pub fn open_siblings(&self, count: usize, options: &SocketOptions) -> io::Result<Vec<Self>> {
        setsockopt(&self.descriptor, sockopt::ReusePort, &true)?;
        let open = || -> io::Result<Vec<Self>> {
            let mut siblings = Vec::with_capacity(count);
            for _ in 0..count {
                let socket = Self::prepare(self.local_address, options)?;
                socket.set_reuse_port(true)?;
                siblings.push(Self::bound(socket, self.local_address, options)?);
                // The group is there once it has two, and none but this one reads yet.
                self.share(0)?;
            }
            // The first may have got something before that.
            let mut batch = Batch::new();
            for sibling in &siblings {
                while sibling.receive(&mut batch)? > 0 {}
            }
            Ok(siblings)
        };
        open().inspect_err(|_| {
            let _ = setsockopt(&self.descriptor, sockopt::ReusePort, &false);
        })
    }

    /// Leaves requests of mode 3 to so many of the siblings, each client always to the same one;
    /// all else stays with this socket, and so do requests if there are none.
    ///
    /// # Errors
    ///
    /// What the system says, as where this socket has no siblings; then nothing changes.
    pub fn share(&self, siblings: u16) -> io::Result<()> {
        let program = steering(self.local_address, siblings);
        let program = libc::sock_fprog {
            len: program.len() as libc::c_ushort,
            filter: program.as_ptr().cast_mut(),
        };
        // SAFETY: the option takes a sock_fprog, which is what is pointed to, with its size; the
        // kernel copies the instructions, which live until the call is over, and writes nothing.
        let result = unsafe {
            libc::setsockopt(
                self.descriptor.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_ATTACH_REUSEPORT_CBPF,
                ptr::from_ref(&program).cast(),
                size_of::<libc::sock_fprog>() as libc::socklen_t,
            )
        };
        match result {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// The program by which the kernel chooses the socket for a datagram, whose contents it sees from
/// the first octet after the UDP header on. What it can't load goes to socket 0, as the kernel ends
/// a program that loads beyond the end.
fn steering(local: SocketAddr, siblings: u16) -> Vec<libc::sock_filter> {
    use libc::{
        BPF_A, BPF_ABS, BPF_ADD, BPF_ALU, BPF_AND, BPF_B, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD,
        BPF_MISC, BPF_MOD, BPF_MUL, BPF_RET, BPF_RSH, BPF_TAX, BPF_W, BPF_X, BPF_XOR,
    };
    /// Loads from here on are from the network header.
    const NETWORK_HEADER: u32 = -0x10_0000_i32 as u32;
    const CLIENT: u32 = 3;

    let step = |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let first = step(BPF_RET | BPF_K, 0, 0, 0);
    if siblings == 0 {
        return vec![first];
    }
    let mut program = vec![
        step(BPF_LD | BPF_B | BPF_ABS, 0, 0, 0),
        step(BPF_ALU | BPF_AND | BPF_K, 0, 0, 7),
        step(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, CLIENT),
        first,
    ];
    // The source address alone: a client is remembered and limited in one place, whatever ports it
    // asks from.
    let words: &[u32] = if local.is_ipv4() {
        &[12]
    } else {
        &[8, 12, 16, 20]
    };
    for (number, word) in words.iter().enumerate() {
        let load = step(BPF_LD | BPF_W | BPF_ABS, 0, 0, NETWORK_HEADER + word);
        program.push(load);
        if number > 0 {
            program.push(step(BPF_ALU | BPF_XOR | BPF_X, 0, 0, 0));
        }
        program.push(step(BPF_MISC | BPF_TAX, 0, 0, 0));
    }
    program.extend([
        // The last octets differ most; a multiplication carries them to where they count.
        step(BPF_ALU | BPF_MUL | BPF_K, 0, 0, 0x9e37_79b1),
        step(BPF_ALU | BPF_RSH | BPF_K, 0, 0, 16),
        step(BPF_ALU | BPF_MOD | BPF_K, 0, 0, siblings.into()),
        step(BPF_ALU | BPF_ADD | BPF_K, 0, 0, 1),
        step(BPF_RET | BPF_A, 0, 0, 0),
    ]);
    program
}
