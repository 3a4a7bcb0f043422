//! The keys that a server and its client need.

use meridian_harness::{Host, Reference};

use crate::{Scheme, Whose, Whose::Ours, keygen};

/// The password of the server's files.
const SERVER_PASSWORD: &str = "redhat";
/// That of the client's.
const CLIENT_PASSWORD: &str = "linux";

/// Makes the keys of a server and of a client, each with its own program where that can.
///
/// The group itself is always exported by ours: what the reference's `ntp-keygen` exports has lost
/// the public values (IFF, MV) or stands where its own daemon does not look for it (GQ).
pub(crate) fn make(
    reference: &Reference,
    scheme: Scheme,
    (server, by_server): (&Host, Whose),
    (client, by_client): (&Host, Whose),
) {
    for host in [server, client] {
        std::fs::create_dir(host.directory.join("keys")).unwrap();
    }
    let export = |file: &str| {
        let to = client
            .directory
            .join(format!("keys/ntpkey_{file}par_server"));
        server.shell(&format!(
            "cd keys; umask 077; ntp-keygen -e -p {SERVER_PASSWORD} > {}",
            to.display()
        ));
    };
    let own = format!("-H -p {CLIENT_PASSWORD}");
    match scheme {
        Scheme::TrustedCertificate => {
            keygen(
                reference,
                server,
                by_server,
                &format!("-T -p {SERVER_PASSWORD}"),
            );
            keygen(reference, client, by_client, &own);
        }
        Scheme::Iff => {
            keygen(
                reference,
                server,
                by_server,
                &format!("-T -I -p {SERVER_PASSWORD}"),
            );
            keygen(reference, client, by_client, &own);
            export("iff");
        }
        // Groups of the reference's making serve neither itself nor anybody else.
        Scheme::Gq | Scheme::Mv => {
            let (option, file) = if scheme == Scheme::Gq {
                ("-G", "gq")
            } else {
                ("-V 3", "mv")
            };
            keygen(
                reference,
                server,
                Ours,
                &format!("-T {option} -p {SERVER_PASSWORD}"),
            );
            keygen(reference, client, by_client, &own);
            export(file);
        }
        // All hosts of such a group have the same key and certificate.
        Scheme::PrivateCertificate => {
            keygen(
                reference,
                server,
                by_server,
                &format!("-P -p {SERVER_PASSWORD}"),
            );
            let from = server.directory.join("keys");
            client.shell(&format!(
                "cd keys; cp {0}/ntpkey_*.* .; \
                 ln -s ntpkey_RSAhost_server.* ntpkey_host_client; \
                 ln -s ntpkey_*cert_server.* ntpkey_cert_client",
                from.display()
            ));
        }
    }
}

/// The `crypto` lines of the server.
pub(crate) fn server_lines() -> String {
    format!("crypto pw {SERVER_PASSWORD} randfile /dev/urandom\nkeysdir ./keys\n")
}

/// The `crypto` lines of the client.
pub(crate) fn client_lines(scheme: Scheme) -> String {
    let password = match scheme {
        Scheme::PrivateCertificate => SERVER_PASSWORD,
        _ => CLIENT_PASSWORD,
    };
    format!("crypto pw {password} randfile /dev/urandom\nkeysdir ./keys\n")
}
