//! Network Time Security between our programs and chrony.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use meridian_harness::{
    Host, Listed, Network, Peers, Program, can_make_networks, skip, value_of, wait_for,
};

const PATIENCE: Duration = Duration::from_secs(60);

const AUTHORITY: &str = include_str!("../../crates/ntp-nts/tests/data/authority.pem");
const CERTIFICATE: &str = include_str!("../../crates/ntp-nts/tests/data/server.pem");
const KEY: &str = include_str!("../../crates/ntp-nts/tests/data/server.key");

/// Nothing of the machine's own chrony is touched: no socket, no file of its process number.
const CHRONY: &str = "cmdport 0\nbindcmdaddress /\npidfile chrony.pid\n";

const OURS_SERVES: &str = "server 127.127.1.0\nfudge 127.127.1.0 stratum 1\n\
    nts cert server.pem key server.key cookie cookies\nnts enable\n";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Whose {
    Ours,
    Chrony,
}
use Whose::{Chrony, Ours};

impl Whose {
    fn start(self, peers: Option<&Peers>, host: &Host) -> Program {
        match self {
            Ours => host.ntpd("virtual"),
            Chrony => peers
                .unwrap()
                .chronyd(host, &host.directory.join("ntp.conf")),
        }
    }
}

fn write_certificates(host: &Host) {
    host.write("authority.pem", AUTHORITY);
    host.write("server.pem", CERTIFICATE);
    let key = host.write("server.key", KEY);
    fs::set_permissions(key, fs::Permissions::from_mode(0o600)).unwrap();
}

fn start_server(network: &Network, whose: Whose, peers: Option<&Peers>) -> Program {
    let host = &network.server;
    write_certificates(host);
    match whose {
        Ours => host.write("ntp.conf", OURS_SERVES),
        Chrony => host.write(
            "ntp.conf",
            &format!(
                "{CHRONY}local stratum 2\nallow all\nntsserverkey server.key\n\
                 ntsservercert server.pem\nntsdumpdir .\n"
            ),
        ),
    };
    let server = whose.start(peers, host);
    if whose == Ours {
        wait_for(
            PATIENCE,
            "the server to give time",
            || {
                let text = host.ntpq("rv 0 stratum");
                text.contains("stratum=2").then_some(())
            },
            || server.log(),
        );
    }
    server
}

#[test]
fn chrony_follows_our_server() {
    if !can_make_networks() {
        skip("NTS with chrony", "it takes root and iproute2");
        return;
    }
    let Some(peers) = Peers::find() else {
        skip("NTS with chrony", "MERIDIAN_PEERS does not lead to it");
        return;
    };
    let network = Network::new().unwrap();
    let server = start_server(&network, Ours, Some(&peers));
    let host = &network.client;
    write_certificates(host);
    host.write(
        "ntp.conf",
        &format!(
            "{CHRONY}server {} iburst nts minpoll 1 maxpoll 1\nntstrustedcerts authority.pem\n\
             ntsdumpdir .\n",
            network.server.address(false)
        ),
    );
    let client = Chrony.start(Some(&peers), host);
    wait_for(
        PATIENCE,
        "chrony to follow us",
        || client.log().contains("Selected source").then_some(()),
        || format!("client:\n{}\nserver:\n{}", client.log(), server.log()),
    );
    assert_eq!(
        fs::metadata(network.server.directory.join("cookies"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
}

fn start_client(network: &Network, options: &str, more: &str) -> Program {
    let host = &network.client;
    write_certificates(host);
    host.write(
        "ntp.conf",
        &format!(
            "server {} iburst minpoll 3 maxpoll 3 nts {options}\ntos maxdist 16\n{more}",
            network.server.address(false)
        ),
    );
    host.ntpd("virtual")
}

/// Waits until the client follows its server, which has proven itself.
fn wait_until_followed(network: &Network, client: &Program, server: &Program) {
    let host = &network.client;
    wait_for(
        PATIENCE,
        "our client to follow the server",
        || {
            let all = Listed::all(&host.ntpq("as"));
            all.first()
                .is_some_and(|one| one.is_followed() && one.authentication == "ok")
                .then_some(())
        },
        || {
            let peer = host.ntpq("rv &1");
            format!("{peer}client:\n{}\nserver:\n{}", client.log(), server.log())
        },
    );
    let cookies = value_of(&host.ntpq("rv &1 ntscookies"), "ntscookies");
    assert!(matches!(cookies.as_deref(), Some("7" | "8")), "{cookies:?}");
}

#[test]
fn we_follow_chronys_server() {
    if !can_make_networks() {
        skip("NTS with chrony", "it takes root and iproute2");
        return;
    }
    let Some(peers) = Peers::find() else {
        skip("NTS with chrony", "MERIDIAN_PEERS does not lead to it");
        return;
    };
    let network = Network::new().unwrap();
    let server = start_server(&network, Chrony, Some(&peers));
    let client = start_client(&network, "ca authority.pem", "");
    wait_until_followed(&network, &client, &server);
}

/// One network for all that can be asked of our own two programs.
#[test]
fn our_client_and_our_server() {
    if !can_make_networks() {
        skip("NTS", "it takes root and iproute2");
        return;
    }
    let network = Network::new().unwrap();
    let server = start_server(&network, Ours, None);

    // Nobody vouches for the server: it is not asked.
    network.client.write("other.pem", CERTIFICATE);
    let client = start_client(&network, "ca other.pem", "");
    let log = wait_for(
        PATIENCE,
        "the certificate to be refused",
        || Some(client.log()).filter(|log| log.contains("no NTS keys")),
        || client.log(),
    );
    assert!(log.contains("UnknownIssuer"), "{log}");
    let sent = value_of(&network.client.ntpq("rv &1 sent"), "sent");
    assert_eq!(sent.as_deref(), Some("0"));
    drop(client);

    let client = start_client(&network, "", "nts ca authority.pem\n");
    wait_until_followed(&network, &client, &server);
    let serves = [
        "nts_ke_serves_good",
        "nts_ke_serves_bad",
        "nts_server_recv_bad",
    ];
    let counts = serves.map(|name| count(&network.server, name));
    // The client that did not trust us ended the conversation.
    assert_eq!(counts, [1, 1, 0], "{}", server.log());

    // The server comes back without its keys: old cookies are refused, new keys asked for.
    drop(server);
    fs::remove_file(network.server.directory.join("cookies")).unwrap();
    let server = start_server(&network, Ours, None);
    wait_for(
        PATIENCE,
        "new keys",
        || (client.log().matches("NTS keys and 8 cookies").count() == 2).then_some(()),
        || format!("client:\n{}\nserver:\n{}", client.log(), server.log()),
    );
    wait_until_followed(&network, &client, &server);

    // With its keys it comes back unnoticed.
    drop(server);
    let server = start_server(&network, Ours, None);
    wait_until_followed(&network, &client, &server);
    let log = client.log();
    assert_eq!(log.matches("NTS keys and").count(), 2, "{log}");
    assert_eq!(count(&network.client, "nts_ke_probes_good"), 2);
    let good = count(&network.client, "nts_client_recv_good");
    assert!(count(&network.client, "nts_client_send") > good && good > 2);
    assert!(
        count(&network.client, "nts_client_recv_bad") > 0,
        "a refusal"
    );
}

/// A variable of the system that counts something.
fn count(host: &Host, name: &str) -> u64 {
    let text = host.ntpq(&format!("rv 0 {name}"));
    value_of(&text, name)
        .and_then(|value| value.parse().ok())
        .unwrap_or_else(|| panic!("{name}: {text}"))
}
