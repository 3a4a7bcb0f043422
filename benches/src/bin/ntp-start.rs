//! How long a server takes from its start to its first answer.
//!
//! `ntp-start ADDRESS:PORT TIMES -- COMMAND ... [-- COMMAND ...]` runs the commands in turns, each
//! of which must start a server at that address in the foreground, asks every tenth of a
//! millisecond until it answers, and ends it. It prints a line for each: the median, the fastest
//! and the slowest, in milliseconds. The first command is a good place for `ntp-echo`: what that
//! takes is the system's.
#![forbid(unsafe_code)]

use std::{
    error::Error,
    net::{SocketAddr, UdpSocket},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use ntp_wire::{Header, Mode, WireTimestamp};

/// A server that has not answered by then never will.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(server), Some(times)) = (words.next(), words.next()) else {
        return Err("ntp-start ADDRESS:PORT TIMES -- COMMAND ... [-- COMMAND ...]".into());
    };
    let (server, times): (SocketAddr, usize) = (server.parse()?, times.parse()?);
    let words: Vec<String> = words.collect();
    let commands: Vec<&[String]> = words
        .split(|word| word == "--")
        .filter(|command| !command.is_empty())
        .collect();
    let mut taken = vec![Vec::with_capacity(times); commands.len()];
    for _ in 0..times {
        for (command, taken) in commands.iter().zip(&mut taken) {
            taken.push(first_answer(server, command)?);
        }
    }
    for (command, mut taken) in commands.into_iter().zip(taken) {
        taken.sort_unstable();
        let at = |place: usize| {
            taken
                .get(place)
                .map_or(0.0, |time| time.as_secs_f64() * 1e3)
        };
        println!(
            "{:.2} ({:.2} to {:.2}) {}",
            at(taken.len() / 2),
            at(0),
            at(taken.len().saturating_sub(1)),
            command.join(" ")
        );
    }
    Ok(())
}

fn first_answer(server: SocketAddr, command: &[String]) -> Result<Duration, Box<dyn Error>> {
    let (program, arguments) = command.split_first().ok_or("no command")?;
    let any = if server.is_ipv4() {
        "0.0.0.0:0"
    } else {
        "[::]:0"
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(server)?;
    socket.set_nonblocking(true)?;
    let mut request = [0; Header::LENGTH];
    Header {
        mode: Mode::Client,
        transmit_time: WireTimestamp::from_bits(0x5a),
        ..Header::default()
    }
    .emit(&mut request);
    let start = Instant::now();
    let mut process = Ended(
        Command::new(program)
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?,
    );
    let mut reply = [0; 512];
    loop {
        // Refused as long as nobody listens.
        let _ = socket.send(&request);
        thread::sleep(Duration::from_micros(100));
        if socket.recv(&mut reply).is_ok() {
            return Ok(start.elapsed());
        }
        if start.elapsed() > PATIENCE || process.0.try_wait()?.is_some() {
            return Err(format!("{} does not answer", command.join(" ")).into());
        }
    }
}

/// A process that ends with this.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // Gently, or it would leave its process number behind and not start again.
        let number = self.0.id().to_string();
        if !Command::new("kill")
            .arg(number)
            .status()
            .is_ok_and(|status| status.success())
        {
            let _ = self.0.kill();
        }
        let _ = self.0.wait();
    }
}
