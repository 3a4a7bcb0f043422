//! Asking in mode 7.

use std::{
    io,
    time::{Duration, Instant},
};

use ntp_control::private::{
    PrivateProgress, PrivateQueryError, PrivateRequest, PrivateRequestError, PrivateResponse,
    PrivateSession, Signature,
};
use ntp_os::complain;
use ntp_wire::Monotonic;

use crate::{
    Connection,
    connection::{connect, is_timeout},
    reason,
};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskPrivateError {
    /// The daemon, or its silence.
    #[error("***{0}")]
    Query(#[from] PrivateQueryError),
    /// The request cannot be sent as it is.
    #[error("***{0}")]
    Request(#[from] PrivateRequestError),
    /// The operating system.
    #[error("ntpdc: {action}: {}", reason(.error))]
    Socket {
        /// What was tried.
        action: &'static str,
        /// What came of it.
        error: io::Error,
    },
}

impl Connection {
    /// Sends a request of mode 7 and waits for the answer.
    ///
    /// # Errors
    ///
    /// [`AskPrivateError`] if there is none, or it is a refusal.
    pub fn ask_private(
        &mut self,
        session: &mut PrivateSession,
        request: &PrivateRequest,
        signature: Option<Signature<'_>>,
    ) -> Result<PrivateResponse, AskPrivateError> {
        let start = Instant::now();
        let now =
            || Monotonic::from_nanos(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX));
        let datagram = session.ask(request, signature, now())?;
        let mut buffer = vec![0; 2048];
        self.forget_late_answers(&mut buffer);
        self.send(&datagram)?;
        loop {
            let Some(deadline) = session.next_deadline() else {
                return Err(PrivateQueryError::TimedOut.into());
            };
            let wait = deadline.since(now()).max(Duration::from_millis(1));
            let received = self
                .socket
                .set_read_timeout(Some(wait))
                .and_then(|()| self.socket.recv(&mut buffer));
            match received {
                Ok(length) => {
                    let datagram = buffer.get(..length).unwrap_or_default();
                    match session.handle(datagram, now()) {
                        PrivateProgress::Waiting => {}
                        PrivateProgress::Done(response) => {
                            self.answered = true;
                            return Ok(response);
                        }
                        PrivateProgress::Failed(error) => {
                            self.answered = true;
                            return Err(error.into());
                        }
                    }
                }
                Err(error) if is_timeout(&error) => {}
                Err(error) => {
                    let refused = error.kind() == io::ErrorKind::ConnectionRefused;
                    if !refused || self.answered || self.others.is_empty() {
                        return Err(failed("read", error));
                    }
                    let other = self.others.remove(0);
                    self.socket = connect(other).map_err(|error| failed("connect", error))?;
                    self.send(&datagram)?;
                }
            }
            if let Err(error) = session.handle_deadline(now()) {
                let what = match error {
                    PrivateQueryError::Incomplete => " with incomplete data",
                    _ => ", nothing received",
                };
                complain(format_args!("{}: timed out{what}", self.host));
                return Err(error.into());
            }
        }
    }

    fn send(&self, datagram: &[u8]) -> Result<(), AskPrivateError> {
        match self.socket.send(datagram) {
            // An earlier datagram was refused: this one may still be sent.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                let sent = self.socket.send(datagram).map(drop);
                sent.map_err(|error| failed("write", error))
            }
            Err(error) => Err(failed("write", error)),
            Ok(_) => Ok(()),
        }
    }

    /// Requests have no number: what came late for one must not be taken for the answer to another.
    fn forget_late_answers(&self, buffer: &mut [u8]) {
        /// Somebody who sends without end is not listened to for ever.
        const MOST: usize = 1000;
        if self.socket.set_nonblocking(true).is_ok() {
            for _ in 0..MOST {
                if self.socket.recv(buffer).is_err() {
                    break;
                }
            }
            // A socket that stays so is told of by the next read.
            let _ = self.socket.set_nonblocking(false);
        }
    }
}

const fn failed(action: &'static str, error: io::Error) -> AskPrivateError {
    AskPrivateError::Socket { action, error }
}
