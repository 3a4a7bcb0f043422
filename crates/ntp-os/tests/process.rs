//! What changes a whole process, each in a process of its own: this program starts itself again.
//!
//! It has no test harness, since a harness has threads.
#![allow(clippy::unwrap_used)] // Helpers of tests may fail as tests do.

use std::{
    fs,
    path::Path,
    process::{Command, Output, exit},
    thread,
    time::Duration,
};

use ntp_os::{Account, NtpSocket, Readiness, SocketOptions, change_root, daemonise};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["child", "daemon", how, file] => daemon(how, Path::new(file)),
        ["child", "user", account] => user(account),
        ["child", "root", directory] => root(Path::new(directory)),
        _ => {
            the_parent_of_a_daemon_tells_how_it_started();
            a_user_keeps_two_capabilities();
            the_root_directory_is_changed();
        }
    }
}

fn run(words: &[&str]) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .arg("child")
        .args(words)
        .output()
        .unwrap()
}

fn is_root() -> bool {
    let is_root = fs::metadata("/proc/self").is_ok_and(|metadata| {
        use std::os::unix::fs::MetadataExt;
        metadata.uid() == 0
    });
    if !is_root {
        eprintln!("not root: left out");
    }
    is_root
}

/// The value of a line of `/proc/self/status`.
fn status(name: &str) -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .unwrap()
        .trim()
        .to_owned()
}

fn the_parent_of_a_daemon_tells_how_it_started() {
    let directory = tempfile::tempdir().unwrap();
    for (how, code) in [("ready", 0), ("failed", 3), ("dropped", 1), ("died", 1)] {
        let file = directory.path().join(how);
        let output = run(&["daemon", how, &file.display().to_string()]);
        assert_eq!(output.status.code(), Some(code), "{how}");
        // What goes wrong before the daemon is ready can be seen.
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(errors, "starting\n", "{how}");
        let text = fs::read_to_string(&file).unwrap();
        let (process, session) = text.split_once(' ').unwrap();
        assert_eq!(process, session, "a session of its own");
    }
}

fn daemon(how: &str, file: &Path) {
    let readiness: Readiness = daemonise().unwrap();
    eprintln!("starting");
    // The sixth word, after the name in parentheses, is the session.
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    let session = rest.split(' ').nth(3).unwrap();
    fs::write(file, format!("{} {session}", std::process::id())).unwrap();
    match how {
        "ready" => {
            // The parent waits that long.
            thread::sleep(Duration::from_millis(50));
            readiness.ready().unwrap();
            eprintln!("nobody reads this");
        }
        "failed" => readiness.failed(3),
        "dropped" => drop(readiness),
        _ => exit(77),
    }
}

fn a_user_keeps_two_capabilities() {
    if !is_root() {
        return;
    }
    let output = run(&["user", "3999999:3999998"]);
    assert!(output.status.success(), "{output:?}");
}

fn user(account: &str) {
    const CAP_NET_BIND_SERVICE: u64 = 1 << 10;
    const CAP_SYS_TIME: u64 = 1 << 25;
    let held = u64::from_str_radix(&status("CapPrm"), 16).unwrap();
    Account::find(account).unwrap().assume(true).unwrap();
    let numbers = |name: &str| -> Vec<u32> {
        let status = status(name);
        status
            .split_whitespace()
            .map(|number| number.parse().unwrap())
            .collect()
    };
    assert_eq!(numbers("Uid"), [3_999_999; 4]);
    assert_eq!(numbers("Gid"), [3_999_998; 4]);
    assert_eq!(numbers("Groups"), [3_999_998]);
    let kept = held & (CAP_NET_BIND_SERVICE | CAP_SYS_TIME);
    for (set, expected) in [("CapPrm", kept), ("CapEff", kept), ("CapInh", 0)] {
        let is = u64::from_str_radix(&status(set), 16).unwrap();
        assert_eq!(is, expected, "{set}");
    }
    assert_eq!(status("NoNewPrivs"), "1");
    if held & CAP_NET_BIND_SERVICE != 0 {
        let low = "127.0.0.99:1".parse().unwrap();
        NtpSocket::bind(low, &SocketOptions::default()).unwrap();
    }
    // Back is not possible.
    assert!(Account::find("0:0").unwrap().assume(false).is_err());
}

fn the_root_directory_is_changed() {
    if !is_root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("inside"), "x").unwrap();
    let output = run(&["root", &directory.path().display().to_string()]);
    assert!(output.status.success(), "{output:?}");
}

fn root(directory: &Path) {
    change_root(directory).unwrap();
    assert_eq!(fs::read_to_string("/inside").unwrap(), "x");
    assert_eq!(fs::read_to_string("inside").unwrap(), "x");
    assert!(!Path::new("/proc").exists());
    assert!(change_root(Path::new("/nowhere")).is_err());
}
