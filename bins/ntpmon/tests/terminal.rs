//! What becomes of the terminal.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

use std::{
    fs::File,
    io::Read,
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    process::Command,
    thread,
};

use nix::{
    pty::openpty,
    sys::{
        signal::{Signal, kill},
        termios::{LocalFlags, tcgetattr},
    },
    unistd::Pid,
};

/// Whether lines are edited by the terminal, as before the program, and shown.
fn is_as_before(terminal: &OwnedFd) -> bool {
    let flags = tcgetattr(terminal).unwrap().local_flags;
    flags.contains(LocalFlags::ICANON | LocalFlags::ECHO)
}

#[test]
fn a_signal_leaves_the_terminal_as_it_was() {
    for signal in [Signal::SIGTERM, Signal::SIGHUP] {
        let terminal = openpty(None, None).unwrap();
        assert!(is_as_before(&terminal.slave));
        let end = || terminal.slave.try_clone().unwrap();
        let mut ntpmon = Command::new(env!("CARGO_BIN_EXE_ntpmon"))
            .args(["--port", "9", "127.0.0.1"])
            .env("TERM", "xterm")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        let mut screen = File::from(terminal.master.try_clone().unwrap());
        let mut room = [0; 4096];
        // Nothing is drawn before the terminal is its own.
        assert!(screen.read(&mut room).unwrap() > 0);
        // What is drawn must be read, or it waits.
        let reader = thread::spawn(move || while screen.read(&mut room).is_ok_and(|n| n > 0) {});
        assert!(!is_as_before(&terminal.slave));
        kill(Pid::from_raw(ntpmon.id().try_into().unwrap()), signal).unwrap();
        let status = ntpmon.wait().unwrap();
        assert_eq!(status.signal(), Some(signal as i32), "{status}");
        assert!(is_as_before(&terminal.slave));
        drop(terminal);
        reader.join().unwrap();
    }
}
