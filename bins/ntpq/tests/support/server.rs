//! A server of a few lines on the loopback interface.

use std::{net::UdpSocket, thread};

use ntp_wire::{
    Leap,
    control::{ControlHeader, ControlMessage, ErrorCode, Fragments},
};

/// Answers for as long as the test runs; returns its port.
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
