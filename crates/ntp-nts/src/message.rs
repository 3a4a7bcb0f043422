//! The two messages of key exchange (RFC 8915 section 4): what a client asks for, and what it gets.

use crate::{
    AES_SIV_CMAC_256, NTPV4,
    record::{Record, RecordError, RecordKind, Records},
};

/// What a client asks for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeyRequest {
    /// The protocols that it wants keys for, its favourite first.
    pub protocols: Vec<u16>,
    /// The algorithms that it knows, its favourite first.
    pub algorithms: Vec<u16>,
    /// The NTP server that it would like to ask.
    pub server: Option<String>,
    /// The port of that.
    pub port: Option<u16>,
}

/// What a server answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeyResponse {
    /// Keys for NTPv4 and AES-SIV-CMAC-256, which both sides get from TLS.
    Granted {
        /// A cookie for each of the next requests.
        cookies: Vec<Vec<u8>>,
        /// The NTP server to ask, if it is not where the keys came from.
        server: Option<String>,
        /// Its port, if it is not 123.
        port: Option<u16>,
    },
    /// It has no protocol in common with the client.
    NoProtocol,
    /// It has no algorithm in common with the client.
    NoAlgorithm,
    /// It refuses, with the number of a reason.
    Refused(u16),
}

impl KeyRequest {
    /// For NTPv4 with AES-SIV-CMAC-256.
    pub fn ntp(server: Option<String>, port: Option<u16>) -> Self {
        Self {
            protocols: vec![NTPV4],
            algorithms: vec![AES_SIV_CMAC_256],
            server,
            port,
        }
    }

    /// The request that `records` are.
    ///
    /// # Errors
    ///
    /// [`MessageError`]: what to answer follows from [`MessageError::code`].
    pub fn parse(records: Records<'_>) -> Result<Self, MessageError> {
        let mut request = Self::default();
        let mut names = [false; 2];
        for record in records {
            match record.kind {
                RecordKind::END_OF_MESSAGE => break,
                RecordKind::NEXT_PROTOCOL => {
                    once(&mut names[0], record.kind)?;
                    request.protocols = record.numbers()?.collect();
                }
                RecordKind::AEAD_ALGORITHM => {
                    once(&mut names[1], record.kind)?;
                    request.algorithms = record.numbers()?.collect();
                }
                RecordKind::SERVER => request.server = Some(host(&record)?),
                RecordKind::PORT => request.port = Some(port(&record)?),
                RecordKind::ERROR | RecordKind::WARNING | RecordKind::NEW_COOKIE => {
                    return Err(MessageError::Unexpected(record.kind.value()));
                }
                kind if record.critical => return Err(MessageError::Unknown(kind.value())),
                _ => {}
            }
        }
        if !names[0] {
            return Err(MessageError::Missing("protocol"));
        }
        // With another protocol the list of algorithms may not be there at all.
        if request.protocols.contains(&NTPV4) && !names[1] {
            return Err(MessageError::Missing("algorithm"));
        }
        Ok(request)
    }

    /// The octets of it.
    pub fn write(&self) -> Vec<u8> {
        let mut message = Vec::new();
        Record::critical(RecordKind::NEXT_PROTOCOL, &octets(&self.protocols)).write(&mut message);
        Record::critical(RecordKind::AEAD_ALGORITHM, &octets(&self.algorithms)).write(&mut message);
        write_server(self.server.as_deref(), self.port, &mut message);
        end(&mut message);
        message
    }
}

impl KeyResponse {
    /// The response that `records` are.
    ///
    /// # Errors
    ///
    /// [`MessageError`] if nothing can be taken from it.
    pub fn parse(records: Records<'_>) -> Result<Self, MessageError> {
        let (mut protocol, mut algorithm) = (None, None);
        let mut names = [false; 2];
        let mut cookies = Vec::new();
        let (mut server, mut port_number) = (None, None);
        for record in records {
            match record.kind {
                RecordKind::END_OF_MESSAGE => break,
                RecordKind::ERROR => {
                    return Ok(Self::Refused(record.numbers()?.next().unwrap_or(u16::MAX)));
                }
                RecordKind::NEXT_PROTOCOL => {
                    once(&mut names[0], record.kind)?;
                    protocol = record.numbers()?.find(|protocol| *protocol == NTPV4);
                }
                RecordKind::AEAD_ALGORITHM => {
                    once(&mut names[1], record.kind)?;
                    algorithm = record.numbers()?.next();
                }
                RecordKind::NEW_COOKIE => cookies.push(record.body.to_vec()),
                RecordKind::SERVER => server = Some(host(&record)?),
                RecordKind::PORT => port_number = Some(port(&record)?),
                kind if record.critical => return Err(MessageError::Unknown(kind.value())),
                _ => {}
            }
        }
        if !names[0] {
            return Err(MessageError::Missing("protocol"));
        }
        if protocol.is_none() {
            return Ok(Self::NoProtocol);
        }
        if !names[1] {
            return Err(MessageError::Missing("algorithm"));
        }
        match algorithm {
            None => return Ok(Self::NoAlgorithm),
            Some(AES_SIV_CMAC_256) => {}
            Some(other) => return Err(MessageError::UnwantedAlgorithm(other)),
        }
        if cookies.is_empty() {
            return Err(MessageError::Missing("cookie"));
        }
        Ok(Self::Granted {
            cookies,
            server,
            port: port_number,
        })
    }

    /// The octets of it.
    pub fn write(&self) -> Vec<u8> {
        let mut message = Vec::new();
        let choice = |protocols: &[u16], message: &mut Vec<u8>| {
            Record::critical(RecordKind::NEXT_PROTOCOL, &octets(protocols)).write(message);
        };
        let algorithms = |algorithms: &[u16], message: &mut Vec<u8>| {
            Record::critical(RecordKind::AEAD_ALGORITHM, &octets(algorithms)).write(message);
        };
        match self {
            Self::Granted {
                cookies,
                server,
                port,
            } => {
                choice(&[NTPV4], &mut message);
                algorithms(&[AES_SIV_CMAC_256], &mut message);
                write_server(server.as_deref(), *port, &mut message);
                for cookie in cookies {
                    Record::optional(RecordKind::NEW_COOKIE, cookie).write(&mut message);
                }
            }
            Self::NoProtocol => choice(&[], &mut message),
            Self::NoAlgorithm => {
                choice(&[NTPV4], &mut message);
                algorithms(&[], &mut message);
            }
            Self::Refused(code) => {
                Record::critical(RecordKind::ERROR, &code.to_be_bytes()).write(&mut message);
            }
        }
        end(&mut message);
        message
    }
}

fn once(seen: &mut bool, kind: RecordKind) -> Result<(), MessageError> {
    if std::mem::replace(seen, true) {
        return Err(MessageError::Repeated(kind.value()));
    }
    Ok(())
}

/// A name or an address: ASCII, and nothing that a terminal would act upon.
fn host(record: &Record<'_>) -> Result<String, MessageError> {
    let is_fit = !record.body.is_empty()
        && record.body.len() <= 255
        && record.body.iter().all(u8::is_ascii_graphic);
    match str::from_utf8(record.body) {
        Ok(name) if is_fit => Ok(name.to_owned()),
        _ => Err(MessageError::BadServer),
    }
}

fn port(record: &Record<'_>) -> Result<u16, MessageError> {
    match record.body.try_into().map(u16::from_be_bytes) {
        Ok(port) if port != 0 => Ok(port),
        _ => Err(MessageError::BadPort),
    }
}

fn octets(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|one| one.to_be_bytes()).collect()
}

fn write_server(server: Option<&str>, port: Option<u16>, message: &mut Vec<u8>) {
    if let Some(server) = server {
        Record::optional(RecordKind::SERVER, server.as_bytes()).write(message);
    }
    if let Some(port) = port {
        Record::optional(RecordKind::PORT, &port.to_be_bytes()).write(message);
    }
}

fn end(message: &mut Vec<u8>) {
    Record::critical(RecordKind::END_OF_MESSAGE, &[]).write(message);
}

/// Why records are no message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// A record is malformed.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A record that must be understood is not.
    #[error("record {0} must be understood, and is not")]
    Unknown(u16),
    /// A record that may be there once is there twice.
    #[error("record {0} is there twice")]
    Repeated(u16),
    /// A record of the other side.
    #[error("record {0} is no part of a request")]
    Unexpected(u16),
    /// A record is not there.
    #[error("no {0} is named")]
    Missing(&'static str),
    /// An algorithm that was not offered.
    #[error("algorithm {0} was not offered")]
    UnwantedAlgorithm(u16),
    /// The server is named by something that is no name.
    #[error("the name of the NTP server is none")]
    BadServer,
    /// The port is none.
    #[error("the port of the NTP server is none")]
    BadPort,
}

impl MessageError {
    /// The number of the error that a server answers with (RFC 8915 section 4.1.3).
    pub const fn code(self) -> u16 {
        match self {
            Self::Unknown(_) => 0,
            _ => 1,
        }
    }
}

#[cfg(test)]
mod tests;
