//! Other digests, longer keys, other signatures, groups with names: with the reference on either side.

use std::{thread, time::Duration};

use meridian_harness::{Listed, Network, Reference, value_of, wait_for};

use crate::{Ours, References, Whose, cell::wait_for_server, keygen, start};

const PATIENCE: Duration = Duration::from_secs(100);

/// What differs from the usual.
#[derive(Clone, Copy, Debug)]
struct Variant {
    /// For `ntp-keygen` at the server.
    server_keys: &'static str,
    /// For `ntp-keygen` at the client.
    client_keys: &'static str,
    /// Behind `crypto`, on both sides.
    crypto: &'static str,
    /// The scheme in the client's flags, that of the server's certificate, where one was asked for.
    scheme: Option<u32>,
    /// Of the network, where it takes less than usual at a time.
    octets: Option<u16>,
}

const USUAL: Variant = Variant {
    server_keys: "",
    client_keys: "",
    crypto: "",
    scheme: None,
    octets: None,
};

fn check(reference: &Reference, server: Whose, client: Whose, variant: Variant) {
    let network = Network::new().unwrap();
    let (server_host, client_host) = (&network.server, &network.client);
    for host in [server_host, client_host] {
        std::fs::create_dir(host.directory.join("keys")).unwrap();
        if let Some(octets) = variant.octets {
            host.shell(&format!("ip link set net0 mtu {octets}"));
        }
    }
    keygen(
        reference,
        server_host,
        server,
        &format!("-T -p redhat {}", variant.server_keys),
    );
    keygen(
        reference,
        client_host,
        client,
        &format!("-H -p linux {}", variant.client_keys),
    );
    let crypto = |password| {
        format!(
            "crypto pw {password} randfile /dev/urandom {}\nkeysdir ./keys\n",
            variant.crypto
        )
    };
    server_host.write(
        "ntp.conf",
        &format!(
            "server 127.127.1.0 prefer minpoll 3 maxpoll 3\nfudge 127.127.1.0 stratum 1\n\
             tos maxdist 16\n{}",
            crypto("redhat")
        ),
    );
    client_host.write(
        "ntp.conf",
        &format!(
            "server {} iburst minpoll 3 maxpoll 3 autokey\ntos maxdist 16\n{}",
            server_host.ipv4,
            crypto("linux")
        ),
    );
    let server_process = start(reference, server_host, server);
    wait_for_server(server_host, &server_process);
    let client_process = start(reference, client_host, client);
    let flags = wait_for(
        PATIENCE,
        &format!("{client:?} of {server:?}, {variant:?}"),
        || {
            let listed = Listed::all(&client_host.ask("as")).into_iter().next()?;
            let text = client_host.ask(&format!("rv {} flags", listed.association));
            let flags = value_of(&text, "flags")?;
            let flags = u32::from_str_radix(flags.trim_start_matches("0x"), 16).ok()?;
            let done =
                listed.is_followed() && listed.authentication == "ok" && flags & 0xff01 == 0x7f01;
            done.then_some(flags)
        },
        || {
            format!(
                "{}{}\nclient:\n{}\nserver:\n{}",
                client_host.ask("as"),
                client_host.ask("rv &1"),
                client_process.log(),
                server_process.log()
            )
        },
    );
    if let Some(scheme) = variant.scheme {
        assert_eq!(flags >> 16, scheme, "{flags:x} {variant:?}");
    }
}

pub(crate) fn other_digests_keys_and_signatures(reference: &Reference) {
    let digest = |crypto| Variant { crypto, ..USUAL };
    let both = |keys, scheme| Variant {
        server_keys: keys,
        client_keys: keys,
        scheme: Some(scheme),
        ..USUAL
    };
    let variants = [
        digest("digest MD5"),
        digest("digest SHA1"),
        digest("digest SHA256"),
        both("-m 1024 -c RSA-SHA1", 65),
        both("-m 2048 -c RSA-SHA256", 668),
        both("-m 2048 -c RSA-SHA512", 670),
        both("-c RSA-RIPEMD160", 119),
        // A key of its own for signatures.
        both("-m 1024 -S RSA -c RSA-SHA1", 65),
        // Certificates that fill several packets.
        Variant {
            octets: Some(576),
            ..both("-m 2048 -c RSA-SHA256", 668)
        },
        // Strong at one end only.
        Variant {
            server_keys: "-m 2048 -c RSA-SHA256",
            scheme: Some(668),
            ..USUAL
        },
    ];
    // The reference ends with a segmentation fault on these.
    let dsa = [
        both("-m 1024 -S DSA", 113),
        both("-m 512 -S DSA -c DSA-SHA", 66),
    ];
    // All at the same time: the programs mostly wait.
    thread::scope(|scope| {
        for variant in dsa {
            scope.spawn(move || check(reference, Ours, Ours, variant));
        }
        for variant in variants {
            for (server, client) in [(Ours, References), (References, Ours)] {
                scope.spawn(move || check(reference, server, client, variant));
            }
        }
    });
}
