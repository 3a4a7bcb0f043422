//! The tools that people watch ntpd with, as they come from their packages, against our daemon: the
//! Python programs of NTPsec, the checks of Nagios and its kin, a plugin of Munin, collectd, and the
//! way in which Telegraf reads `ntpq -p`.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

use std::time::Duration;

use meridian_harness::{
    Host, Network, Peers, Run, built, can_make_networks, skip, value_of, wait_for,
};

const CONF: &str = "\
server 127.127.1.0 prefer minpoll 3 maxpoll 3
fudge 127.127.1.0 stratum 1
server 192.0.2.7 noselect
keys ntp.keys
trustedkey 1
controlkey 1
enable mode7
";

/// Gives a program a terminal of its own until each of the parts has been written there, for twelve
/// seconds at most; says what was written if one was not.
const ON_A_TERMINAL: &str = r#"
import fcntl, os, pty, select, signal, struct, sys, termios, time
parts, command = sys.argv[1].split("|"), sys.argv[2:]
child, terminal = pty.fork()
if child == 0:
    time.sleep(0.2)
    os.execvp(command[0], command)
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
text, end = "", time.monotonic() + 12
while not all(part in text for part in parts) and time.monotonic() < end:
    if select.select([terminal], [], [], 0.5)[0]:
        try:
            more = os.read(terminal, 65536)
        except OSError:
            break
        text += more.decode("utf-8", "replace")
os.kill(child, signal.SIGKILL)
missing = [part for part in parts if part not in text]
sys.exit(f"never written: {missing}, but {text!r}" if missing else 0)
"#;

/// Runs a line of the shell with the tools of the packages, and ours, in `PATH`.
fn shell(host: &Host, peers: &Peers, line: &str) -> Run {
    let root = peers.root();
    let ours = built("ntpq");
    let path = format!(
        "{}:{}:/usr/bin:/bin:/usr/sbin:/sbin",
        ours.parent().unwrap().display(),
        root.join("usr/lib/nagios/plugins").display(),
    );
    let libraries = root.join("usr/lib/x86_64-linux-gnu");
    let libraries = format!(
        "{}:{}",
        libraries.join("ntp").display(),
        libraries.display()
    );
    Run::of(
        host.command("timeout")
            .args(["30", "sh", "-c", line])
            .env("PATH", path)
            .env("TOOLS", root)
            .env("LD_LIBRARY_PATH", libraries)
            .env("PYTHONPATH", root.join("usr/lib/python3/dist-packages"))
            .env("TERM", "xterm"),
    )
}

/// What NTPsec's ntpq says to commands, one after the other.
fn ntpsec(host: &Host, peers: &Peers, commands: &[&str]) -> String {
    let commands: Vec<String> = commands.iter().map(|one| format!("-c '{one}'")).collect();
    let line = format!(
        "/usr/bin/python3 $TOOLS/usr/bin/ntpq -n {} 127.0.0.1",
        commands.join(" ")
    );
    let run = shell(host, peers, &line);
    assert_eq!(run.code, 0, "{line}\n{run:?}");
    assert!(!run.stdout.contains("***"), "{line}\n{run:?}");
    assert!(!run.stderr.contains("Traceback"), "{line}\n{run:?}");
    run.stdout
}

#[test]
fn the_tools_that_people_run_understand_our_daemon() {
    let Some(peers) = Peers::find().filter(|peers| can_make_networks() && peers.has_tools()) else {
        skip(
            "the tools of others",
            "they are not at hand, or networks cannot be made",
        );
        return;
    };
    let network = Network::new().unwrap();
    let host = &network.server;
    host.write("ntp.conf", CONF);
    host.write("ntp.keys", "1 M three.blind.mice\n");
    host.shell("chmod 600 ntp.keys");
    let process = host.ntpd("virtual");
    wait_for(
        Duration::from_secs(60),
        "the daemon to follow its local clock",
        || {
            // Some of them divide by the time since its start.
            let text = host.ask("rv 0 stratum,ss_uptime");
            let uptime: u32 = value_of(&text, "ss_uptime")?.parse().ok()?;
            (text.contains("stratum=2") && uptime > 1).then_some(())
        },
        || process.log(),
    );
    nagios(host, &peers);
    ntpsec_commands(host, &peers);
    ntpsec_programs(host, &peers);
    munin(host, &peers);
    telegraf(host, &peers);
    collectd(host, &peers);
}

fn nagios(host: &Host, peers: &Peers) {
    for check in ["check_ntp_time", "check_ntp_peer", "check_ntp"] {
        let run = shell(host, peers, &format!("{check} -H 127.0.0.1 -w 60 -c 120"));
        assert_eq!(run.code, 0, "{check}: {run:?}");
        assert!(run.stdout.starts_with("NTP OK: Offset "), "{run:?}");
    }
    // Who is asked for less than there is learns it.
    let run = shell(
        host,
        peers,
        "check_ntp_peer -H 127.0.0.1 -w 60 -c 120 -W 0 -C 0",
    );
    assert_eq!(run.code, 2, "{run:?}");
}

fn ntpsec_commands(host: &Host, peers: &Peers) {
    let ask = |commands: &[&str]| ntpsec(host, peers, commands);
    let table = ask(&["peers"]);
    assert!(table.contains("\n*127.127.1.0     .LOCL."), "{table}");
    assert!(table.contains("\n 192.0.2.7       .INIT."), "{table}");
    let list = ask(&["associations"]);
    assert!(list.contains("yes   yes  none  sys.peer"), "{list}");
    let text = ask(&["rv 0", "rv &1", "rv &2 flash", "cv &1"]);
    for part in [
        "version=\"ntpd Meridian",
        "stratum=2, precision=-",
        "srcadr=127.127.1.0",
        "flash=",
        "device=",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let text = ask(&["sysinfo", "kerninfo", "iostats", "timerstats", "sysstats"]);
    // All that it asks for.
    let nts = ask(&["ntsinfo"]);
    let counts = nts.lines().filter(|line| line.starts_with("NTS "));
    assert_eq!(
        counts.filter(|line| line.ends_with(" 0")).count(),
        17,
        "{nts}"
    );
    for part in [
        "system peer:       127.127.1.0",
        "kernel status:",
        "packets received:",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let clients = ask(&["mrulist"]);
    assert!(clients.contains(" 127.0.0.1\n"), "{clients}");
    for table in ["apeers", "lpeers", "opeers"] {
        assert!(ask(&[table]).contains("\n*127.127.1.0"), "{table}");
    }
}

fn ntpsec_programs(host: &Host, peers: &Peers) {
    let run = shell(host, peers, "/usr/bin/python3 $TOOLS/usr/sbin/ntpwait -n 5");
    assert_eq!(run.code, 0, "{run:?}");
    let parts = ["*127.127.1.0", "ntpd Meridian", "lstint avgint rstr"];
    let line = format!(
        "/usr/bin/python3 -c '{ON_A_TERMINAL}' '{}' \
         /usr/bin/python3 $TOOLS/usr/bin/ntpmon -n 127.0.0.1",
        parts.join("|"),
    );
    let run = shell(host, peers, &line);
    assert_eq!(run.code, 0, "{run:?}");
}

fn munin(host: &Host, peers: &Peers) {
    let plugin = |name: &str| {
        let line =
            format!("MUNIN_LIBDIR=$TOOLS/usr/share/munin sh $TOOLS/usr/share/munin/plugins/{name}");
        let run = shell(host, peers, &line);
        assert_eq!(run.code, 0, "{line}\n{run:?}");
        assert_eq!(run.stderr, "", "{line}");
        run
    };
    // They ask for the version, and older ones than 4.2.7 for it by ntpdc.
    for (name, value) in [
        ("ntp_kernel_pll_off", "ntp_pll_off.value 0.0"),
        ("ntp_kernel_err", "ntp_err.value 0.0"),
    ] {
        let run = plugin(name);
        assert!(run.stdout.contains(value), "{name}: {run:?}");
    }
    let run = plugin("ntp_offset");
    for name in ["delay", "offset", "jitter"] {
        let line = run.stdout.lines().find(|line| line.starts_with(name));
        let value = line
            .and_then(|line| line.rsplit(' ').next())
            .unwrap_or_default();
        assert!(value.parse::<f64>().is_ok(), "{name} in {run:?}");
    }
}

/// Its plugin finds the columns by the words of the first line, and takes the mark off each row.
fn telegraf(host: &Host, peers: &Peers) {
    let run = shell(host, peers, "ntpq -p -n");
    let mut lines = run
        .stdout
        .lines()
        .skip_while(|line| !line.contains("refid"));
    let names: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    let expected = "remote refid st t when poll reach delay offset jitter";
    assert_eq!(names.join(" "), expected);
    let rows: Vec<&str> = lines.filter(|line| !line.starts_with('=')).collect();
    assert_eq!(rows.len(), 2, "{run:?}");
    for row in rows {
        let (mark, row) = row.split_at(1);
        assert!(" *".contains(mark), "{run:?}");
        let fields: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(fields.len(), names.len(), "{row}");
        for (name, field) in names.iter().zip(&fields) {
            let is_number = match *name {
                "st" | "poll" => field.parse::<u32>().is_ok(),
                "when" => {
                    *field == "-"
                        || field
                            .trim_end_matches(['m', 'h', 'd'])
                            .parse::<u32>()
                            .is_ok()
                }
                "reach" => u8::from_str_radix(field, 8).is_ok(),
                "delay" | "offset" | "jitter" => field.parse::<f64>().is_ok(),
                _ => true,
            };
            assert!(is_number, "{name} in {row}");
        }
    }
}

/// Its plugin asks by mode 7: for a summary of the sources, and for the kernel's clock.
fn collectd(host: &Host, peers: &Peers) {
    let root = peers.root().display();
    host.write(
        "collectd.conf",
        &format!(
            "BaseDir \".\"\nPIDFile \"collectd.pid\"\nHostname \"host\"\nInterval 1\n\
             PluginDir \"{root}/usr/lib/collectd\"\n\
             TypesDB \"{root}/usr/share/collectd/types.db\"\n\
             LoadPlugin ntpd\nLoadPlugin csv\n\
             <Plugin ntpd>\nHost \"127.0.0.1\"\nReverseLookups false\n</Plugin>\n\
             <Plugin csv>\nDataDir \"stdout\"\n</Plugin>\n",
        ),
    );
    // It is ended as soon as the last of the values is there.
    let line = "stdbuf -oL $TOOLS/usr/sbin/collectd -f -C collectd.conf >collectd.log 2>&1 & \
                for turn in $(seq 100); do \
                    grep -q time_dispersion-LOCAL collectd.log && break; \
                    sleep 0.1; \
                done; kill $!; wait $!; cat collectd.log";
    let run = shell(host, peers, line);
    for value in [
        "host/ntpd/frequency_offset-loop ",
        "host/ntpd/time_offset-loop ",
        "host/ntpd/time_offset-error ",
        "host/ntpd/time_dispersion-LOCAL interval=1.000 ",
        "host/ntpd/delay-192.0.2.7 ",
    ] {
        assert!(run.stdout.contains(value), "{value} in {run:?}");
    }
}
