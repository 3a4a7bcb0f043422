//! A server of a few lines on the loopback interface.

use std::{net::UdpSocket, sync::Arc, thread};

use ntp_wire::{
    Leap,
    control::{ControlHeader, ControlMessage, ErrorCode, Fragments},
};

/// Answers each request with the datagrams of `script`, whatever they are, several requests at a
/// time, for as long as the test runs; returns its port.
#[allow(dead_code)] // Not every test has need of it.
pub(crate) fn misbehave(
    script: impl Fn(&ControlHeader, &dyn Fn(&[u8])) + Send + Sync + 'static,
) -> u16 {
    let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
    let port = socket.local_addr().unwrap().port();
    let script = Arc::new(script);
    thread::spawn(move || {
        let mut request = [0; 1024];
        while let Ok((length, from)) = socket.recv_from(&mut request) {
            let header = ControlHeader::parse(&request[..length]).unwrap();
            let (socket, script) = (Arc::clone(&socket), Arc::clone(&script));
            thread::spawn(move || {
                script(&header, &|datagram| {
                    // Who asked may have left.
                    let _ = socket.send_to(datagram, from);
                });
            });
        }
    });
    port
}

/// Answers for as long as the test runs; returns its port.
#[allow(dead_code)] // Not every test has need of it.
pub(crate) fn serve(
    answer: impl Fn(&ControlHeader, &[u8]) -> Result<(u16, Vec<u8>), ErrorCode> + Send + 'static,
) -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut request = [0; 1024];
        while let Ok((length, from)) = socket.recv_from(&mut request) {
            let message = ControlMessage::parse(&request[..length]).unwrap();
            let mut reply = [0; 512];
            match answer(message.header(), message.data()) {
                Err(code) => {
                    let header = message.header().refuse(Leap::None, code);
                    let length = header.emit_message(b"", &mut reply).unwrap();
                    socket.send_to(&reply[..length], from).unwrap();
                }
                Ok((status, data)) => {
                    for fragment in Fragments::new(&data).unwrap() {
                        let header = ControlHeader {
                            more: fragment.more,
                            offset: fragment.offset,
                            ..message.header().respond(Leap::None, status)
                        };
                        let length = header.emit_message(fragment.data, &mut reply).unwrap();
                        socket.send_to(&reply[..length], from).unwrap();
                    }
                }
            }
        }
    });
    port
}
