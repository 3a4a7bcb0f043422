//! New keys on a server of ours: taken while it runs, and then with a restart that makes all cookies
//! worthless. Its clients are ours and the reference's.

use std::{thread, time::Duration};

use meridian_harness::{Host, Listed, Network, Program, Reference, Tap, value_of, wait_for};
use nix::sys::signal::Signal;

use crate::{Ours, References, Whose, cell::wait_for_server, keygen, start, wire::Messages};

const PATIENCE: Duration = Duration::from_secs(120);

/// Both hosts, and what crosses between them.
struct Trial<'a> {
    client: Whose,
    network: &'a Network,
    tap: Tap,
}

impl Trial<'_> {
    fn messages(&self) -> Messages {
        let (server, client) = (&self.network.server, &self.network.client);
        Messages::of(&self.tap.seen(), server.ipv4.into(), client.ipv4.into())
    }

    /// Whether the client follows the server, all flags lit.
    fn follows(&self) -> bool {
        let host = &self.network.client;
        let Some(listed) = Listed::all(&host.ask("as")).into_iter().next() else {
            return false;
        };
        let text = host.ask(&format!("rv {} flags", listed.association));
        let flags = value_of(&text, "flags").unwrap_or_default();
        let flags = u32::from_str_radix(flags.trim_start_matches("0x"), 16).unwrap_or_default();
        listed.is_followed() && listed.authentication == "ok" && flags & 0xff01 == 0x7f01
    }

    /// Waits until the client follows and has had `more` good packets.
    fn wait_for_time(&self, more: usize, what: &str, programs: &[&Program]) {
        let before = self.messages().bare;
        wait_for(
            PATIENCE,
            &format!("{:?}: {what}", self.client),
            || (self.messages().bare >= before + more && self.follows()).then_some(()),
            || {
                let logs: Vec<String> = programs.iter().map(|program| program.log()).collect();
                let host = &self.network.client;
                format!(
                    "{}{}{:x?}\n{}",
                    host.ask("as"),
                    host.ask("rv &1"),
                    self.messages(),
                    logs.join("\n---\n")
                )
            },
        );
    }
}

fn prepare(reference: &Reference, host: &Host, whose: Whose, keys: &str, text: &str) {
    std::fs::create_dir(host.directory.join("keys")).unwrap();
    keygen(reference, host, whose, keys);
    host.write("ntp.conf", text);
}

fn check(reference: &Reference, client: Whose) {
    let network = Network::new().unwrap();
    let (server_host, client_host) = (&network.server, &network.client);
    let crypto = |password| format!("crypto pw {password} randfile /dev/urandom\nkeysdir ./keys\n");
    prepare(
        reference,
        server_host,
        Ours,
        "-T -p redhat",
        &format!(
            "server 127.127.1.0 prefer minpoll 3 maxpoll 3\nfudge 127.127.1.0 stratum 1\n{}",
            crypto("redhat")
        ),
    );
    prepare(
        reference,
        client_host,
        client,
        "-H -p linux",
        &format!(
            "server {} iburst minpoll 3 maxpoll 3 autokey\ntos maxdist 16\n{}",
            server_host.ipv4,
            crypto("linux")
        ),
    );
    let trial = Trial {
        client,
        network: &network,
        tap: Tap::new(client_host),
    };
    let mut server = start(reference, server_host, Ours);
    wait_for_server(server_host, &server);
    let client_process = start(reference, client_host, client);
    trial.wait_for_time(3, "all flags", &[&server, &client_process]);

    // A new host key and certificate; a file's name tells its second.
    thread::sleep(Duration::from_millis(1100));
    keygen(reference, server_host, Ours, "-H -T -p redhat");
    server.signal(Signal::SIGHUP);
    assert!(
        server.says("new files taken for server", Duration::from_secs(10)),
        "{}",
        server.log()
    );
    let asked = trial.messages().from_client;
    trial.wait_for_time(2, "time as before", &[&server, &client_process]);
    assert_eq!(asked, trial.messages().from_client, "nobody has noticed");

    // What is not in a file is gone with a restart: the old host key.
    server.stop();
    let server = start(reference, server_host, Ours);
    wait_for_server(server_host, &server);
    trial.wait_for_time(
        2,
        "time from the server with another secret",
        &[&server, &client_process],
    );
    let messages = trial.messages();
    match client {
        Ours => {
            let log = client_process.log();
            assert!(log.contains("renewal: the server has refused"), "{log}");
            assert!(!log.contains("unreachable"), "{log}");
        }
        References => assert!(messages.from_server.contains_key(&0xc201), "{messages:x?}"),
    }
}

pub(crate) fn clients_stay_with_a_server_that_gets_new_keys(reference: &Reference) {
    thread::scope(|scope| {
        for client in [Ours, References] {
            scope.spawn(move || check(reference, client));
        }
    });
}
