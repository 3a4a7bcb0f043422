//! Answers monitoring systems: the metrics, over HTTP.

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::SocketAddr,
    time::Duration as Elapsed,
};

use httparse::{EMPTY_HEADER, Request, Status};
use mio::{
    Interest, Registry, Token,
    net::{TcpListener, TcpStream},
};
use ntp_wire::Monotonic;

use crate::token;

/// So many are answered at a time; who comes then waits in the kernel's queue, or is turned away.
const MOST: usize = token::METRICS_CONNECTIONS;
/// Who takes longer than this is cut off.
const PATIENCE: Elapsed = Elapsed::from_secs(10);
/// Octets of a request at most, its headers included.
const LONGEST_REQUEST: usize = 8192;
/// Headers of a request at most.
const MOST_HEADERS: usize = 64;

/// Listens for those who want the metrics. It never waits, and holds little memory, whoever comes.
pub(crate) struct MetricsServer {
    listener: TcpListener,
    connections: [Option<Connection>; MOST],
}

struct Connection {
    stream: TcpStream,
    since: Monotonic,
    request: Vec<u8>,
    /// What is still to be sent; there once the request is complete.
    answer: Option<Vec<u8>>,
}

/// How it goes on.
enum Next {
    Wait,
    Close,
}

impl MetricsServer {
    /// # Errors
    ///
    /// What the system says, as when somebody else has the port.
    pub(crate) fn open(address: SocketAddr, registry: &Registry) -> io::Result<Self> {
        let mut listener = TcpListener::bind(address)?;
        registry.register(&mut listener, token::METRICS, Interest::READABLE)?;
        Ok(Self {
            listener,
            connections: [const { None }; MOST],
        })
    }

    /// Whether an event is for this.
    pub(crate) fn has(token: Token) -> bool {
        (token::METRICS.0..=token::METRICS.0 + MOST).contains(&token.0)
    }

    /// Goes on with all that can; `metrics` is what they want to know.
    pub(crate) fn run(
        &mut self,
        now: Monotonic,
        registry: &Registry,
        mut metrics: impl FnMut() -> String,
    ) {
        self.accept(now, registry);
        for place in &mut self.connections {
            let Some(connection) = place else {
                continue;
            };
            if let Next::Close = connection.run(&mut metrics) {
                // It is closed with its descriptor, and forgotten with it.
                *place = None;
            }
        }
        // Somebody may wait for a place that has become free.
        self.accept(now, registry);
        for connection in self.connections.iter_mut().flatten() {
            let _ = connection.run(&mut metrics);
        }
    }

    /// Cuts off those who are too slow.
    pub(crate) fn hurry(&mut self, now: Monotonic, registry: &Registry) {
        let is_late = |one: &mut Connection| now.since(one.since) > PATIENCE;
        let late = |place: &mut Option<Connection>| place.take_if(is_late).is_some();
        if self
            .connections
            .iter_mut()
            .filter_map(|place| late(place).then_some(()))
            .count()
            > 0
        {
            self.accept(now, registry);
        }
    }

    fn accept(&mut self, now: Monotonic, registry: &Registry) {
        for (number, place) in self.connections.iter_mut().enumerate() {
            if place.is_some() {
                continue;
            }
            // Whatever is wrong with one who comes is his own affair.
            let Ok((mut stream, _)) = self.listener.accept() else {
                return;
            };
            let token = Token(token::METRICS.0 + 1 + number);
            let wanted = Interest::READABLE | Interest::WRITABLE;
            if registry.register(&mut stream, token, wanted).is_ok() {
                *place = Some(Connection {
                    stream,
                    since: now,
                    request: Vec::new(),
                    answer: None,
                });
            }
        }
    }
}

impl Connection {
    fn run(&mut self, metrics: &mut impl FnMut() -> String) -> Next {
        while self.answer.is_none() {
            let mut piece = [0; 1024];
            match self.stream.read(&mut piece) {
                Ok(0) => return Next::Close,
                Ok(length) => {
                    self.request.extend(piece.iter().take(length));
                    self.answer = answer(&self.request, &mut *metrics);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Next::Wait,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Next::Close,
            }
        }
        while let Some(left) = self.answer.as_mut().filter(|left| !left.is_empty()) {
            match self.stream.write(left) {
                Ok(0) => return Next::Close,
                Ok(length) => drop(left.drain(..length)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Next::Wait,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Next::Close,
            }
        }
        // What he may still send is not read; without this that would take the answer from him.
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
        let mut rest = [0; 1024];
        match self.stream.read(&mut rest) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Next::Wait,
            _ => Next::Close,
        }
    }
}

/// What is answered; `None` as long as the request is not complete.
fn answer(request: &[u8], metrics: impl FnOnce() -> String) -> Option<Vec<u8>> {
    let mut headers = [EMPTY_HEADER; MOST_HEADERS];
    let mut parsed = Request::new(&mut headers);
    let complete = match parsed.parse(request) {
        Ok(Status::Partial) if request.len() < LONGEST_REQUEST => return None,
        Ok(Status::Complete(_)) => true,
        Ok(Status::Partial) | Err(_) => false,
    };
    let path = parsed.path.unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    let (status, kind, body) = match (complete, parsed.method, path) {
        (false, ..) => ("400 Bad Request", PLAIN, "This is no request.\n".to_owned()),
        (true, Some("GET" | "HEAD"), "/metrics") => ("200 OK", METRICS, metrics()),
        (true, Some("GET" | "HEAD"), _) => {
            let text = "The metrics of ntpd are at /metrics.\n";
            ("404 Not Found", PLAIN, text.to_owned())
        }
        _ => ("405 Method Not Allowed", PLAIN, "GET it.\n".to_owned()),
    };
    let length = body.len();
    let mut answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n"
    );
    if parsed.method != Some("HEAD") {
        answer.push_str(&body);
    }
    Some(answer.into_bytes())
}

const PLAIN: &str = "text/plain; charset=utf-8";
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn status(request: &[u8]) -> Option<String> {
        let answer = String::from_utf8(answer(request, || "metrics".into())?).unwrap();
        Some(answer.lines().next().unwrap().to_owned())
    }

    #[test]
    fn what_is_asked_for_is_given() {
        let text = answer(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", || "all".into()).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        assert!(text.contains("\r\nContent-Length: 3\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\nall"), "{text}");
        let head = answer(b"HEAD /metrics?x=y HTTP/1.0\r\n\r\n", || "all".into()).unwrap();
        assert!(head.ends_with(b"\r\n\r\n"));
        for (request, expected) in [
            (&b"GET / HTTP/1.1\r\n\r\n"[..], "HTTP/1.1 404 Not Found"),
            (
                b"POST /metrics HTTP/1.1\r\n\r\n",
                "HTTP/1.1 405 Method Not Allowed",
            ),
            (b"\x16\x03\x01\x02\x00", "HTTP/1.1 400 Bad Request"),
            (b"GET /metrics\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        ] {
            assert_eq!(status(request).as_deref(), Some(expected));
        }
        assert_eq!(status(b"GET /metrics HTTP/1.1\r\nHost"), None);
        let endless = [&b"GET /"[..], &[b'a'; LONGEST_REQUEST]].concat();
        assert_eq!(
            status(&endless).as_deref(),
            Some("HTTP/1.1 400 Bad Request")
        );
    }

    proptest! {
        #[test]
        fn no_request_does_harm(request in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = status(&request);
            let _ = status(&[b"GET /metrics HTTP/1.1\r\n", &request[..]].concat());
        }
    }
}
