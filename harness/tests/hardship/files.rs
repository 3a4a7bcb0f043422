//! Files stay whole, whatever ends the program.

use std::{
    fs,
    os::unix::fs::FileTypeExt,
    path::Path,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use meridian_harness::{Loopback, free_port};
use nix::sys::signal::Signal;
use ntp_keys::KeyFile;

use crate::{LOCAL_CLOCK, wait_for_time};

/// Moments that differ from run to run; said, so that a failure can be looked into.
struct Moments(u64);

impl Moments {
    fn new() -> Self {
        let seed = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .subsec_nanos();
        eprintln!("moments from {seed}");
        Self(u64::from(seed) | 1)
    }

    /// Somewhere before `end`.
    fn next(&mut self, end: Duration) -> Duration {
        // Xorshift: good enough to spread.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        end.mul_f64((self.0 >> 11) as f64 / (1_u64 << 53) as f64)
    }
}

#[test]
fn the_drift_file_is_kept_at_the_end() {
    let host = Loopback::new("server", 1, free_port());
    let drift = host.write("drift", "-12.345\n");
    let mut process = host.start(&format!("{LOCAL_CLOCK}driftfile drift\n"));
    wait_for_time(&host, &process);
    fs::remove_file(&drift).unwrap();
    assert_eq!(process.stop(), 0);
    assert!(
        process.log().contains("exiting on signal 15"),
        "{}",
        process.log()
    );
    let value: f64 = fs::read_to_string(&drift).unwrap().trim().parse().unwrap();
    assert!((value + 12.345).abs() < 1.0, "{value}");
}

#[test]
fn a_drift_file_is_not_overwritten_by_what_is_not_known() {
    let host = Loopback::new("server", 1, free_port());
    let drift = host.write("drift", "who knows\n");
    let mut process = host.start(&format!("{LOCAL_CLOCK}driftfile drift\n"));
    wait_for_time(&host, &process);
    assert_eq!(process.stop(), 0);
    assert_eq!(fs::read_to_string(&drift).unwrap(), "who knows\n");
    let log = process.log();
    assert!(
        log.contains("drift file drift") && log.contains("not used"),
        "{log}"
    );
}

/// Killed while it writes: the old file is there or the new one.
#[test]
fn the_drift_file_is_whole_after_a_kill() {
    let host = Loopback::new("server", 1, free_port());
    let drift = host.directory().join("drift");
    let mut moments = Moments::new();
    let mut ends = [0; 2];
    for _ in 0..30 {
        host.write("drift", "7.000\n");
        let mut process = host.start(&format!("{LOCAL_CLOCK}driftfile drift\n"));
        assert!(
            process.says("mobilize", Duration::from_secs(10)),
            "{}",
            process.log()
        );
        process.signal(Signal::SIGTERM);
        thread::sleep(moments.next(Duration::from_millis(8)));
        let killed = process.is_running();
        process.kill();
        ends[usize::from(killed)] += 1;
        let text = fs::read_to_string(&drift).unwrap();
        let value = text
            .strip_suffix('\n')
            .and_then(|text| text.parse::<f64>().ok());
        assert!(
            value.is_some_and(|value| (value - 7.0).abs() < 1.0),
            "{text:?}"
        );
    }
    eprintln!("{} ended by themselves, {} were killed", ends[0], ends[1]);
}

/// Each key file is absent or whole, each link leads to one.
#[test]
fn key_files_are_whole_after_a_kill() {
    let host = Loopback::new("server", 1, 1);
    let start = Instant::now();
    host.keygen(KEYGEN);
    let whole = start.elapsed();
    check_keys(&host.keys());
    let mut moments = Moments::new();
    let mut interrupted = 0;
    for round in 0..40 {
        // Into what earlier rounds left, and every few into an empty directory.
        if round % 4 == 0 {
            fs::remove_dir_all(host.keys()).unwrap();
            fs::create_dir(host.keys()).unwrap();
        }
        let mut command = host.command("ntp-keygen");
        command
            .args(KEYGEN.split(' '))
            .args(["-s", host.name])
            .current_dir(host.keys())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        thread::sleep(moments.next(whole.mul_f64(1.2)));
        child.kill().unwrap();
        interrupted += u32::from(!child.wait().unwrap().success());
        check_keys(&host.keys());
    }
    eprintln!("{interrupted} of 40 runs were interrupted");
    // Nothing that was left keeps the next from its work.
    host.keygen(KEYGEN);
    assert!(check_keys(&host.keys()) >= 3);
}

const KEYGEN: &str = "-T -I -p redhat -m 512 -c RSA-MD5";

fn check_keys(directory: &Path) -> usize {
    let mut count = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let kind = fs::symlink_metadata(&path).unwrap().file_type();
        if !name.starts_with("ntpkey_") {
            // What was being written when it was killed; nobody reads it.
            assert!(name.starts_with('.'), "{name}");
            continue;
        }
        assert!(!kind.is_fifo() && !kind.is_socket() && !kind.is_dir());
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let file = KeyFile::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let name = name.to_lowercase();
        if name.contains("cert") {
            file.certificate().unwrap();
        } else if name.contains("iff") {
            file.iff_group("redhat").unwrap();
        } else {
            file.private_key("redhat").unwrap();
        }
        count += usize::from(kind.is_symlink());
    }
    count
}
