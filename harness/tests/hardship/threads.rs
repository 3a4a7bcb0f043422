//! `threads 1`: one thread for everything, as long as there is no name to look up.

use std::{fs, time::Duration};

use meridian_harness::{Loopback, free_port, wait_for};

use crate::{LOCAL_CLOCK, wait_for_time};

fn threads(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/task"))
        .unwrap()
        .count()
}

fn children(process: u32) -> String {
    fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default()
}

#[test]
fn servers_written_as_addresses_need_one_thread() {
    let server = Loopback::new("server", 1, free_port());
    let mut served = server.start(LOCAL_CLOCK);
    wait_for_time(&server, &served);
    let client = Loopback::new("client", 2, server.address.port());
    let address = server.address.ip();
    let mut follows = client.start(&format!("threads 1\nserver {address} iburst\n"));
    wait_for(
        Duration::from_secs(30),
        "the client to follow the server",
        || {
            client
                .ask("rv 0 stratum")
                .contains("stratum=3")
                .then_some(())
        },
        || follows.log(),
    );
    let process = follows.process();
    assert_eq!(threads(process), 1, "{}", follows.log());
    assert_eq!(children(process), "");
    assert_eq!(follows.stop(), 0);
    assert_eq!(served.stop(), 0);
}

#[test]
fn names_are_looked_up_in_a_thread_of_their_own() {
    let client = Loopback::new("client", 3, free_port());
    let mut process = client.start("server name.invalid\n");
    wait_for(
        Duration::from_secs(10),
        "the second thread",
        || (threads(process.process()) == 2).then_some(()),
        || process.log(),
    );
    assert_eq!(process.stop(), 0);
}
