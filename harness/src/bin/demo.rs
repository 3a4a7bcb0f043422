//! `cargo demo`: the walk-through of an administrator with the real programs, on loopback addresses
//! and without root. A server with its own clock, a client whose clock is 37 s wrong and 50 ppm
//! fast, Autokey with the IFF identity scheme between them.
//!
//! The client's clock is a virtual one inside its processes: this machine's clock stays as it is.

use std::{
    env,
    error::Error,
    net::{IpAddr, Ipv4Addr, UdpSocket},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use meridian_harness::Program;

const SERVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
const CLIENT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const PROGRAMS: [&str; 4] = ["ntpd", "ntp-keygen", "ntpq", "ntpdate"];
/// All client bits and the IFF bit, with or without leap second values.
const COMPLETE: [u32; 2] = [0x7f21, 0x7f23];
const PATIENCE: Duration = Duration::from_secs(50);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let programs = build()?;
    let directory = tempfile::tempdir()?;
    let stage = Stage {
        programs,
        directory: directory.path().to_owned(),
        port: free_port()?,
    };
    println!(
        "Everything below happens in {}, on UDP port {}.\n",
        stage.directory.display(),
        stage.port
    );
    stage.keys()?;
    let mut server = stage.start_server()?;
    stage.set_client()?;
    let mut client = stage.start_client()?;
    let association = stage.watch(&mut client)?;
    for command in ["-p", "-c as", "-c \"rv 0 cert\""] {
        stage.ask(command)?;
    }
    stage.ask(&format!("-c \"rv {association} flags\""))?;
    client.stop();
    server.stop();
    println!(
        "\nThe client follows the server, which proved by IFF that it belongs to the group. \
         Both have ended, and nothing of them is left."
    );
    Ok(())
}

/// Builds the programs, in release mode as this one is.
fn build() -> Result<PathBuf, Box<dyn Error>> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--release"]);
    for program in PROGRAMS {
        command.args(["--package", program]);
    }
    if !command.stdin(Stdio::null()).status()?.success() {
        return Err("the programs could not be built: see above".into());
    }
    let this = env::current_exe()?;
    let directory = this.parent().ok_or("a program lies in a directory")?;
    Ok(directory.to_owned())
}

/// A port above 1024 that is free on both addresses.
fn free_port() -> Result<u16, Box<dyn Error>> {
    for port in 12_300..12_400 {
        let free = |address: Ipv4Addr| UdpSocket::bind((address, port)).is_ok();
        if free(SERVER) && free(CLIENT) {
            return Ok(port);
        }
    }
    Err("no free UDP port between 12300 and 12399 on 127.0.0.1 and 127.0.0.2".into())
}

struct Stage {
    programs: PathBuf,
    directory: PathBuf,
    port: u16,
}

impl Stage {
    /// Runs a shell line in a directory of the stage, showing it as it would be typed.
    fn shell(&self, directory: &str, line: &str) -> Result<String, Box<dyn Error>> {
        println!("{directory}# {line}");
        let path = format!(
            "{}:{}",
            self.programs.display(),
            env::var("PATH").unwrap_or_default()
        );
        let output = Command::new("sh")
            .args(["-c", line])
            .current_dir(self.directory.join(directory))
            .env("PATH", path)
            .stdin(Stdio::null())
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(text);
        }
        let problem = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(format!("`{line}` failed: {text}{problem}").into())
    }

    fn keys(&self) -> Result<(), Box<dyn Error>> {
        for host in ["server", "client"] {
            std::fs::create_dir_all(self.directory.join(host).join("keys"))?;
        }
        // Two hosts on one machine share its name, so -s says who is meant.
        self.shell("server/keys", "ntp-keygen -T -I -p redhat -s server")?;
        self.shell(
            "server/keys",
            "ntp-keygen -e -q redhat -p linux -s server > ../../client/keys/ntpkey_IFFkey_server.3426035707",
        )?;
        self.shell("client/keys", "ntp-keygen -H -p linux -s client")?;
        for link in ["ntpkey_iff_server", "ntpkey_iff_client"] {
            self.shell(
                "client/keys",
                &format!("ln -s ntpkey_IFFkey_server.3426035707 {link}"),
            )?;
        }
        println!();
        Ok(())
    }

    fn start_server(&self) -> Result<Program, Box<dyn Error>> {
        let text = format!(
            "server 127.127.1.0\nfudge 127.127.1.0 stratum 1\n\
             crypto host server pw redhat randfile /dev/urandom\nkeysdir {}\n\
             restrict default ignore\nrestrict 127.0.0.0 mask 255.0.0.0 nomodify\ndriftfile {}\n",
            self.path("server/keys"),
            self.path("server/drift"),
        );
        self.start("server", SERVER, &text, "virtual")
    }

    /// Steps the client's clock, which is 37 s ahead.
    fn set_client(&self) -> Result<(), Box<dyn Error>> {
        self.wait_for_time()?;
        // The first run makes the clock, which is kept in the file `clock` from then on.
        let ntpdate = |option: &str, clock: &str| {
            let line = format!(
                "ntpdate {option} --port {} --source {CLIENT} --clock virtual:{clock} {SERVER}",
                self.port
            );
            print!("{}", self.shell("client", &line)?);
            println!();
            Ok::<_, Box<dyn Error>>(())
        };
        ntpdate("-q", "offset=37,freq=50,state=clock")?;
        ntpdate("-b", "state=clock")?;
        ntpdate("-q", "state=clock")
    }

    fn start_client(&self) -> Result<Program, Box<dyn Error>> {
        let text = format!(
            "server {SERVER} iburst autokey\n\
             crypto host client pw linux randfile /dev/urandom\nkeysdir {}\n",
            self.path("client/keys"),
        );
        self.start("client", CLIENT, &text, "virtual:state=clock")
    }

    fn start(
        &self,
        host: &str,
        address: Ipv4Addr,
        configuration: &str,
        clock: &str,
    ) -> Result<Program, Box<dyn Error>> {
        let directory = self.directory.join(host);
        std::fs::write(directory.join("ntp.conf"), configuration)?;
        println!("{host}# cat ntp.conf\n{configuration}");
        let line = format!(
            "ntpd -n -g -c ntp.conf --port {} -I {address} --clock {clock}",
            self.port
        );
        println!("{host}# {line}\n");
        let mut command = Command::new(self.programs.join("ntpd"));
        command
            .args(line.split(' ').skip(1))
            .current_dir(&directory);
        Ok(Program::start(&mut command, directory.join("log"))?)
    }

    /// The server answers as soon as it runs; its local clock is followed at once.
    fn wait_for_time(&self) -> Result<(), Box<dyn Error>> {
        let end = Instant::now() + Duration::from_secs(10);
        while Instant::now() < end {
            if self
                .quiet_ntpq(SERVER.into(), &["-c", "rv 0 stratum"])
                .contains("stratum=2")
            {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Err(self.failure("server", "the server does not give time"))
    }

    /// Shows how the client's clock comes right, until the dance is done.
    fn watch(&self, client: &mut Program) -> Result<String, Box<dyn Error>> {
        println!("seconds   client's offset   Autokey flags");
        let start = Instant::now();
        loop {
            if !client.is_running() || start.elapsed() > PATIENCE {
                return Err(self.failure("client", "the dance was not completed"));
            }
            let list = self.quiet_ntpq(CLIENT.into(), &["-c", "as"]);
            let line = list
                .lines()
                .find(|line| line.trim_start().starts_with("1 "));
            let association = line
                .and_then(|line| line.split_whitespace().nth(1))
                .unwrap_or_default()
                .to_owned();
            let of = format!("rv {association} offset,flags");
            let text = self.quiet_ntpq(CLIENT.into(), &["-c", &of]);
            let value = |name: &str| {
                let (_, rest) = text.split_once(name)?;
                Some(
                    rest.split([',', '\n'])
                        .next()
                        .unwrap_or_default()
                        .trim()
                        .to_owned(),
                )
            };
            let flags = value("flags=").unwrap_or_default();
            let offset = value("offset=").unwrap_or_default();
            println!(
                "{:>7.0}   {offset:>12} ms   {flags}",
                start.elapsed().as_secs_f64()
            );
            let low = u32::from_str_radix(flags.trim_start_matches("0x"), 16).unwrap_or(0) & 0xffff;
            if COMPLETE.contains(&low) && list.contains("sys.peer") {
                println!();
                return Ok(association);
            }
            thread::sleep(Duration::from_secs(1));
        }
    }

    /// Asks the client, showing question and answer.
    fn ask(&self, arguments: &str) -> Result<(), Box<dyn Error>> {
        let line = format!("ntpq --port {} -n {arguments} {CLIENT}", self.port);
        print!("{}", self.shell("client", &line)?);
        println!();
        Ok(())
    }

    fn quiet_ntpq(&self, host: IpAddr, arguments: &[&str]) -> String {
        Command::new(self.programs.join("ntpq"))
            .args(["--port", &self.port.to_string(), "-n"])
            .args(arguments)
            .arg(host.to_string())
            .output()
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
            .unwrap_or_default()
    }

    fn failure(&self, host: &str, what: &str) -> Box<dyn Error> {
        let log =
            std::fs::read_to_string(self.directory.join(host).join("log")).unwrap_or_default();
        format!("{what}; the log of the {host}:\n{log}").into()
    }

    fn path(&self, name: &str) -> String {
        let path: &Path = &self.directory.join(name);
        path.display().to_string()
    }
}
