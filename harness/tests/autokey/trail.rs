//! Trails of certificates over three hosts: a trusted one, one that follows it, one that follows that.

use std::{thread, time::Duration};

use meridian_harness::{Host, Lan, Listed, Program, Reference, Tap, value_of, wait_for};

use crate::{Ours, References, Whose, cell::wait_for_server, keygen, start, wire::Messages};

/// Two dances, one after the other.
const PATIENCE: Duration = Duration::from_secs(150);

/// Who runs alpha (trusted), bravo and charlie.
type Programs = [Whose; 3];

struct Hosts<'a> {
    alpha: &'a Host,
    bravo: &'a Host,
    charlie: &'a Host,
}

/// With `group`, bravo must prove to charlie, as alpha to bravo, that it belongs to it.
fn check(reference: &Reference, programs: Programs, group: bool) {
    let lan = Lan::new(&["alpha", "bravo", "charlie"]).unwrap();
    let hosts = Hosts {
        alpha: lan.host("alpha"),
        bravo: lan.host("bravo"),
        charlie: lan.host("charlie"),
    };
    make_keys(reference, programs, &hosts, group);
    configure(&hosts, group);
    let tap = Tap::new(hosts.charlie);
    let alpha = start(reference, hosts.alpha, programs[0]);
    wait_for_server(hosts.alpha, &alpha);
    let bravo = start(reference, hosts.bravo, programs[1]);
    let charlie = start(reference, hosts.charlie, programs[2]);
    let log = |programs: &[&Program]| {
        let logs: Vec<String> = programs.iter().map(|program| program.log()).collect();
        logs.join("\n---\n")
    };
    for host in [hosts.bravo, hosts.charlie] {
        wait_for(
            PATIENCE,
            &format!("{} to follow and to have all flags", host.name()),
            || follows(host, group).then_some(()),
            || {
                let asked = host.ask("as") + &host.ask("rv &1") + &host.ask("rv 0");
                format!("{programs:?}\n{asked}{}", log(&[&alpha, &bravo, &charlie]))
            },
        );
    }
    let messages = Messages::of(
        &tap.seen(),
        hosts.bravo.ipv4.into(),
        hosts.charlie.ipv4.into(),
    );
    // bravo's certificate, signed by alpha, and alpha's own.
    assert!(messages.from_server[&0x8202] >= 2, "{messages:x?}");
    assert_eq!(messages.has(0x0207), group, "{messages:x?}");
    let certificates = hosts.charlie.ask("rv 0");
    for certificate in ["charlie bravo 0x", "alpha alpha 0x", "bravo alpha 0x"] {
        assert!(certificates.contains(certificate), "{certificates}");
    }
}

fn make_keys(reference: &Reference, programs: Programs, hosts: &Hosts<'_>, group: bool) {
    let Hosts {
        alpha,
        bravo,
        charlie,
    } = *hosts;
    for host in [alpha, bravo, charlie] {
        std::fs::create_dir(host.directory.join("keys")).unwrap();
    }
    let scheme = if group { "-I " } else { "" };
    keygen(
        reference,
        alpha,
        programs[0],
        &format!("-T {scheme}-p redhat"),
    );
    let own = format!("-H -p {}", bravo_password(group));
    keygen(reference, bravo, programs[1], &own);
    keygen(reference, charlie, programs[2], "-H -p linux");
    if !group {
        return;
    }
    // Both who prove it have the group's key, both who ask for proof its parameters.
    let keys = |host: &Host| host.directory.join("keys");
    let to = |host: &Host| keys(host).join("ntpkey_iffpar_grp").display().to_string();
    for host in [bravo, charlie] {
        alpha.shell(&format!("cd keys; ntp-keygen -e -p redhat > {}", to(host)));
    }
    let key = keys(bravo)
        .join("ntpkey_iffkey_bravo")
        .display()
        .to_string();
    alpha.shell(&format!("cd keys; cp ntpkey_iffkey_alpha {key}"));
}

/// The group's key, which bravo has a copy of, is locked with alpha's.
const fn bravo_password(group: bool) -> &'static str {
    if group { "redhat" } else { "bluehat" }
}

fn configure(hosts: &Hosts<'_>, group: bool) {
    let Hosts {
        alpha,
        bravo,
        charlie,
    } = *hosts;
    let crypto = |password| format!("crypto pw {password} randfile /dev/urandom\nkeysdir ./keys\n");
    alpha.write(
        "ntp.conf",
        &format!(
            "server 127.127.1.0 prefer minpoll 3 maxpoll 3\nfudge 127.127.1.0 stratum 1\n\
             tos maxdist 16\n{}",
            crypto("redhat")
        ),
    );
    let ident = if group { "ident grp" } else { "" };
    for (host, server, password) in [
        (bravo, alpha, bravo_password(group)),
        (charlie, bravo, "linux"),
    ] {
        host.write(
            "ntp.conf",
            &format!(
                "server {} iburst minpoll 3 maxpoll 3 autokey {ident}\ntos maxdist 16\n{}",
                server.ipv4,
                crypto(password)
            ),
        );
    }
}

fn follows(host: &Host, group: bool) -> bool {
    let Some(listed) = Listed::all(&host.ask("as")).into_iter().next() else {
        return false;
    };
    let text = host.ask(&format!("rv {} flags", listed.association));
    let flags = value_of(&text, "flags").unwrap_or_default();
    let flags = u32::from_str_radix(flags.trim_start_matches("0x"), 16).unwrap_or_default();
    let wanted = if group { 0x7f21 } else { 0x7f01 };
    listed.is_followed() && listed.authentication == "ok" && flags & 0xfffd == wanted
}

pub(crate) fn trails_over_three_hosts(reference: &Reference) {
    thread::scope(|scope| {
        for programs in [
            [Ours, Ours, Ours],
            [References, Ours, References],
            [Ours, References, Ours],
        ] {
            for group in [false, true] {
                scope.spawn(move || check(reference, programs, group));
            }
        }
    });
}
