//! What monitoring systems are told.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    time::Duration,
};

use meridian_harness::{Loopback, free_port, wait_for};

use crate::LOCAL_CLOCK;

fn connect(address: SocketAddr) -> Option<TcpStream> {
    let stream = TcpStream::connect(address).ok()?;
    let patience = Some(Duration::from_secs(20));
    stream.set_read_timeout(patience).unwrap();
    Some(stream)
}

/// What is answered to `request`; `None` if nobody listens.
fn ask(address: SocketAddr, request: &str) -> Option<String> {
    let mut stream = connect(address)?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    Some(answer)
}

/// The names of the metrics in a text that has others as well.
fn names(text: &str) -> BTreeSet<&str> {
    text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
        .filter(|word| word.starts_with("ntp_"))
        .collect()
}

#[test]
fn the_metrics_are_what_the_documentation_says() {
    let server = Loopback::new("server", 5, free_port());
    let address = SocketAddr::new(server.address.ip(), free_port());
    let line = format!("metrics {} port {}\n", address.ip(), address.port());
    let source = format!(
        "server {0} port {1} noselect\n",
        server.address.ip(),
        free_port()
    );
    let mut process = server.start(&format!("{LOCAL_CLOCK}{line}{source}"));
    let request = "GET /metrics HTTP/1.1\r\nHost: ntp\r\n\r\n";
    let text = wait_for(
        Duration::from_secs(20),
        "metrics of a clock that is right",
        || ask(address, request).filter(|text| text.contains("\nntp_synchronised 1\n")),
        || process.log(),
    );
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    assert!(text.contains("\nntp_stratum 2\n"), "{text}");
    let followed = "\nntp_source_selection{source=\"127.127.1.0\",address=\"127.127.1.0\"} 6\n";
    assert!(text.contains(followed), "{text}");
    let body = text.split("\r\n\r\n").nth(1).unwrap();
    for line in body.lines().filter(|line| !line.starts_with('#')) {
        let value = line.rsplit(' ').next().unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
    // Each has a type, and each that is documented or drawn is there.
    let there = names(body);
    for name in &there {
        assert!(body.contains(&format!("# TYPE {name} ")), "{name}");
    }
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let page = fs::read_to_string(docs.join("src/guide/metrics.md")).unwrap();
    let dashboard = fs::read_to_string(docs.join("grafana/meridian.json")).unwrap();
    serde_json::from_str::<serde_json::Value>(&dashboard).unwrap();
    for (what, text) in [("the page", &page), ("the dashboard", &dashboard)] {
        let named = names(text);
        assert!(named.len() > 5, "{what} names {named:?}");
        let unknown: Vec<_> = named.difference(&there).collect();
        assert!(unknown.is_empty(), "{what} names {unknown:?}");
    }
    let told: Vec<_> = there.difference(&names(&page)).copied().collect();
    assert_eq!(told, Vec::<&str>::new(), "not on the page");
    assert_eq!(process.stop(), 0);
}

/// Neither who says nothing nor who says too much keeps others from the metrics, or the daemon from
/// its work.
#[test]
fn bad_guests_are_shown_the_door() {
    let server = Loopback::new("server", 6, free_port());
    let address = SocketAddr::new(server.address.ip(), free_port());
    let line = format!("metrics {} port {}\n", address.ip(), address.port());
    let mut process = server.start(&format!("{LOCAL_CLOCK}{line}"));
    let silent: Vec<TcpStream> = wait_for(
        Duration::from_secs(10),
        "the metrics",
        || connect(address).map(|first| vec![first]),
        || process.log(),
    );
    let silent: Vec<TcpStream> = silent
        .into_iter()
        .chain((0..12).filter_map(|_| connect(address)))
        .collect();
    assert_eq!(silent.len(), 13);
    assert!(!server.ask("rv 0 stratum").is_empty());
    // He waits until they are cut off.
    let answer = ask(address, "GET /metrics HTTP/1.1\r\n\r\n").unwrap();
    assert!(answer.contains("\nntp_stratum "), "{answer}");
    let endless = format!("GET /{} HTTP/1.1\r\n", "a".repeat(20_000));
    let mut stream = connect(address).unwrap();
    // It may be cut off before all of it is sent.
    let _ = stream.write_all(endless.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400 "));
    drop(silent);
    assert_eq!(process.stop(), 0);
}
