//! `threads`: one for everything, as long as there is no name to look up and no crowd to serve.

use std::{
    fs,
    net::{Ipv4Addr, UdpSocket},
    time::Duration,
};

use meridian_harness::{Loopback, free_port, value_of, wait_for};
use nix::sys::signal::Signal;

use crate::{LOCAL_CLOCK, ask_raw, time_request, wait_for_time};

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

#[test]
fn a_crowd_is_answered_by_more_threads() {
    const CROWD: u8 = 100;
    const EACH: usize = 5;
    let server = Loopback::new("server", 4, free_port());
    // A client that asks again at once is held to be too fast, whichever thread it comes to.
    let mut process = server.start(&format!(
        "{LOCAL_CLOCK}threads 3\nrestrict default limited nomodify\nrestrict 127.0.0.4\n\
         discard average 3 minimum 0\n"
    ));
    wait_for(
        Duration::from_secs(10),
        "the server",
        || ask_raw(server.address, 4, &time_request()),
        || process.log(),
    );
    assert_eq!(threads(process.process()), 1, "{}", process.log());

    // More than are taken at one sitting, all there when it begins.
    process.signal(Signal::SIGSTOP);
    let crowd: Vec<UdpSocket> = (0..CROWD)
        .flat_map(|number| {
            let bind = move |_| UdpSocket::bind((Ipv4Addr::new(127, 0, 1, number), 0)).unwrap();
            (0..EACH).map(bind)
        })
        .collect();
    let ask = |socket: &UdpSocket| {
        socket.send_to(&time_request(), server.address).unwrap();
    };
    for socket in &crowd {
        ask(socket);
    }
    process.signal(Signal::SIGCONT);
    wait_for(
        Duration::from_secs(10),
        "more threads",
        || (threads(process.process()) == 4).then_some(()),
        || process.log(),
    );
    let answered = |socket: &UdpSocket| {
        socket.set_nonblocking(true).unwrap();
        let mut answers = 0;
        while socket.recv(&mut [0; 100]).is_ok() {
            answers += 1;
        }
        answers
    };
    // These were all answered by the first thread; and now by the others.
    let before: usize = crowd.iter().map(answered).sum();
    for socket in &crowd {
        ask(socket);
    }
    wait_for(
        Duration::from_secs(10),
        "all requests to be counted",
        || {
            let received = value_of(&server.ask("rv 0 ss_limited"), "ss_limited")?;
            let received: usize = received.parse().ok()?;
            let after: usize = crowd.iter().map(answered).sum();
            (received + before + after >= 2 * crowd.len()).then_some(())
        },
        || server.ask("sysstats"),
    );
    let list = server.ask("mrulist limit=1000");
    for number in 0..CROWD {
        assert!(list.contains(&format!("127.0.1.{number}\n")), "{list}");
    }
    // One by one, each from the address that was asked.
    for last in 200..220 {
        assert!(ask_raw(server.address, last, &time_request()).is_some());
    }
    assert_eq!(process.stop(), 0);
}
