//! The daemon between a library that interposes the C library and nothing else: one thread, no
//! privileges, and the clock that it sees and steers is the library's.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use meridian_harness::{Loopback, Program, Run, built, free_port, skip, wait_for};
use nix::unistd::Uid;

const PATIENCE: Duration = Duration::from_secs(75);

const SERVER_CONF: &str = "\
server 127.127.1.0 prefer minpoll 3 maxpoll 3
fudge 127.127.1.0 stratum 1
tos maxdist 16
";

/// Whoever it is, it is not root.
const NOBODY: &str = "65534";

#[test]
fn a_daemon_of_one_thread_lives_on_the_clock_that_a_library_makes_up() {
    let name = "the daemon on an interposed clock";
    let port = free_port();
    let server = Loopback::new("server", 1, port);
    let client = Loopback::new("client", 2, port);
    let library = client.directory().join("simclock.so");
    if !compile(&library) {
        return skip(name, "gcc is not there");
    }
    // With the right to set the clock, a slip of this test could do so.
    if Uid::effective().is_root() && !runs("setpriv") {
        return skip(name, "setpriv is not there");
    }

    let _server = server.start(SERVER_CONF);
    let mut daemon = start(&client, &library, server.address.port());
    assert!(daemon.says("clock_sync", PATIENCE), "{}", daemon.log());
    // It goes on for a while: the next rates are set by the synchronised daemon.
    let notes = client.directory().join("notes");
    let rates = || lines(&notes, "rate").len();
    let so_far = rates();
    wait_for(
        PATIENCE,
        "another rate",
        || (rates() > so_far).then_some(()),
        || daemon.log(),
    );

    let process = PathBuf::from(format!("/proc/{}", daemon.process()));
    let threads = fs::read_dir(process.join("task")).unwrap().count();
    assert_eq!(threads, 1, "{}", daemon.log());
    assert_eq!(children(daemon.process()), [] as [u32; 0]);
    let status = fs::read_to_string(process.join("status")).unwrap();
    let of = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        line.unwrap_or_default().trim().to_owned()
    };
    assert_eq!(of("CapEff:"), "0000000000000000");
    assert!(!of("Uid:").split_whitespace().any(|user| user == "0"));

    // It believed the hour, took it away, and steered what it left; nothing was refused.
    let steps = lines(&notes, "step");
    let [step] = &steps[..] else {
        panic!("{steps:?}\n{}", daemon.log());
    };
    assert!((number(step) + 3600.0).abs() < 0.5, "{step}");
    let ahead = lines(&notes, "rate").pop().unwrap();
    let ahead = number(ahead.split_whitespace().last().unwrap());
    assert!(ahead.abs() < 0.5, "{ahead} s ahead");
    assert!(!daemon.log().contains("not allowed"), "{}", daemon.log());

    // What such a library need not know, it is not asked.
    assert_eq!(lines(&notes, "syscall"), [] as [&str; 0]);
    assert_eq!(lines(&notes, "waits"), [] as [&str; 0]);
    let mut read = lines(&notes, "reads");
    read.dedup();
    assert_eq!(read, ["127.0.0.2"], "{}", daemon.log());

    assert_eq!(daemon.stop(), 0, "{}", daemon.log());
}

/// What the kernel refuses is said, at the start and once.
#[test]
fn a_daemon_that_may_not_set_the_clock_says_so() {
    let name = "the daemon without the right to set the clock";
    if Uid::effective().is_root() && !runs("setpriv") {
        return skip(name, "setpriv is not there");
    }
    let client = Loopback::new("client", 3, free_port());
    let mut daemon = begin(&client, "threads 1\n", &[]);
    let line = "not allowed to set the clock: run as root or with CAP_SYS_TIME; until then";
    assert!(daemon.says(line, PATIENCE), "{}", daemon.log());
    assert_eq!(daemon.stop(), 0, "{}", daemon.log());
    assert_eq!(daemon.log().matches(line).count(), 1);
}

fn start(client: &Loopback, library: &Path, port: u16) -> Program {
    let configuration = format!(
        "threads 1\nserver 127.0.0.1 port {port} iburst minpoll 3 maxpoll 3\ntos maxdist 16\n"
    );
    let variable = |name: &str, value: &Path| format!("{name}={}", value.display());
    begin(
        client,
        &configuration,
        &[
            // For the daemon alone, not for what starts it.
            "env".to_owned(),
            variable("LD_PRELOAD", library),
            variable("SIMCLOCK_NOTES", &client.directory().join("notes")),
            "SIMCLOCK_AHEAD=3600".to_owned(),
        ],
    )
}

/// Our daemon without privileges, on the kernel's clock or what passes for it. It listens on two
/// addresses, of which nobody uses one.
fn begin(host: &Loopback, configuration: &str, wrapper: &[String]) -> Program {
    let directory = host.directory();
    // Where it is built, and directories made for one user, may be out of nobody's reach.
    let program = directory.join("ntpd");
    fs::copy(built("ntpd"), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(directory, fs::Permissions::from_mode(0o777)).unwrap();
    host.write("ntp.conf", configuration);

    let mut words: Vec<String> = Vec::new();
    if Uid::effective().is_root() {
        let become_nobody = [
            "setpriv",
            "--reuid",
            NOBODY,
            "--regid",
            NOBODY,
            "--clear-groups",
            "--bounding-set",
            "-all",
            "--inh-caps",
            "-all",
            "--",
        ];
        words.extend(become_nobody.map(str::to_owned));
    }
    words.extend_from_slice(wrapper);
    words.push(program.display().to_string());
    let mut command = Command::new(&words[0]);
    command
        .args(&words[1..])
        .current_dir(directory)
        .args(["-n", "-g", "-c", "ntp.conf", "-I"])
        .arg(host.address.ip().to_string())
        .args(["-I", "127.0.0.4"])
        .args(["--port", &host.address.port().to_string()]);
    Program::start(&mut command, directory.join("ntpd.log")).unwrap()
}

/// `false` if there is no compiler.
fn compile(library: &Path) -> bool {
    if !runs("gcc") {
        return false;
    }
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/simclock.c");
    let mut gcc = Command::new("gcc");
    gcc.args(["-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o"])
        .arg(library)
        .args([source, "-ldl"]);
    Run::successfully(&mut gcc);
    fs::set_permissions(library, fs::Permissions::from_mode(0o755)).unwrap();
    true
}

fn runs(program: &str) -> bool {
    let output = Command::new(program).arg("--version").output();
    output.is_ok_and(|output| output.status.success())
}

/// What follows `word` on the lines that begin with it.
fn lines(notes: &Path, word: &str) -> Vec<String> {
    let text = fs::read_to_string(notes).unwrap_or_default();
    text.lines()
        .filter_map(|line| line.strip_prefix(word)?.strip_prefix(' '))
        .map(str::to_owned)
        .collect()
}

fn number(text: &str) -> f64 {
    text.parse().unwrap()
}

/// The processes whose parent is `process`.
fn children(process: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(number) = entry.file_name().to_string_lossy().parse() else {
            continue;
        };
        // A process may end while we look. The name, in parentheses, may contain anything.
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        if parent == Some(process) {
            found.push(number);
        }
    }
    found
}
