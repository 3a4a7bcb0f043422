//! The words after a command.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use ntp_control::private::Family;

use crate::{
    command::{Command, Kind},
    shell::CommandError,
};

/// What was given, as the command wants it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    /// All words, addresses among them as they were written.
    pub(crate) words: Vec<String>,
    /// Those that are addresses, in their order.
    pub(crate) addresses: Vec<IpAddr>,
    /// Those that are numbers without sign, in their order.
    pub(crate) numbers: Vec<u32>,
    /// The number with a sign.
    pub(crate) integer: Option<i64>,
    /// `-4` or `-6`, where that is what the command takes.
    pub(crate) family: Option<Family>,
}

impl Given {
    /// The first word.
    pub(crate) fn word(&self) -> Option<&str> {
        self.words.first().map(String::as_str)
    }
}

/// Reads `words` as `command` wants them. What follows its last argument is text.
pub(crate) fn read(command: &'static Command, words: &[&str]) -> Result<Given, CommandError> {
    let mut given = Given::default();
    let mut words = words.iter().copied().peekable();
    let mut family = None;
    for argument in command.arguments {
        if argument.kind == Kind::Address {
            while let Some(word) = words.next_if(|word| matches!(*word, "-4" | "-6")) {
                family = self::family(word);
            }
        }
        let Some(word) = words.next() else {
            if argument.is_optional {
                break;
            }
            return Err(CommandError::Usage(command));
        };
        match argument.kind {
            Kind::Text => {}
            Kind::Address => given.addresses.push(address(word, family)?),
            Kind::Unsigned => {
                let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
                let number = is_number.then(|| word.parse().ok()).flatten();
                let number = number.ok_or_else(|| CommandError::IllegalUnsigned(word.to_owned()));
                given.numbers.push(number?);
            }
            Kind::Integer => {
                let number = word.parse::<i32>();
                let number = number.map_err(|_| CommandError::IllegalInteger(word.to_owned()));
                given.integer = Some(number?.into());
            }
            Kind::Family => {
                given.family = Some(self::family(word).ok_or(CommandError::BadFamily)?);
            }
        }
        given.words.push(word.to_owned());
    }
    given.words.extend(words.map(str::to_owned));
    Ok(given)
}

fn family(word: &str) -> Option<Family> {
    match word {
        "-4" => Some(Family::Ipv4),
        "-6" => Some(Family::Ipv6),
        _ => None,
    }
}

/// An address, or the first of a name, of that family if one is wanted.
fn address(word: &str, family: Option<Family>) -> Result<IpAddr, CommandError> {
    let plain = word
        .strip_prefix('[')
        .and_then(|word| word.strip_suffix(']'));
    if let Ok(address) = plain.unwrap_or(word).parse() {
        return Ok(address);
    }
    let fits = |address: &SocketAddr| match family {
        None => true,
        Some(Family::Ipv4) => address.is_ipv4(),
        Some(Family::Ipv6) => address.is_ipv6(),
    };
    let found = (word, 123).to_socket_addrs().ok();
    let found = found.and_then(|mut addresses| addresses.find(fits));
    found
        .map(|address| address.ip())
        .ok_or_else(|| CommandError::NoSuchHost(word.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::find;

    fn given(line: &str) -> Result<Given, CommandError> {
        let (name, words) = line.split_once(' ').unwrap_or((line, ""));
        read(
            find(name).unwrap(),
            &words.split_whitespace().collect::<Vec<_>>(),
        )
    }

    #[test]
    fn words_are_what_the_command_wants() {
        let all = given("showpeer -4 192.0.2.1 [2001:db8::1]").unwrap();
        assert_eq!(all.addresses.len(), 2);
        let all = given("addserver 192.0.2.1 1 4 minpoll 5 prefer burst").unwrap();
        assert_eq!(all.words.len(), 7);
        assert_eq!(given("trustedkey 5 6").unwrap().numbers, [5, 6]);
        assert_eq!(given("peers -6").unwrap().family, Some(Family::Ipv6));
        assert_eq!(given("delay -5").unwrap().integer, Some(-5));
    }

    #[test]
    fn other_words_are_told() {
        let why = |line| given(line).unwrap_err().to_string();
        assert_eq!(why("timeout -3"), "***Illegal unsigned value -3");
        assert_eq!(why("delay x"), "***Illegal integer value x");
        assert_eq!(why("peers -5"), "***Version must be either 4 or 6");
        assert!(why("showpeer").starts_with("usage: showpeer [ -4|-6 ] peer_address"));
        assert!(why("trustedkey 99999999999").starts_with("***Illegal unsigned value"));
    }
}
