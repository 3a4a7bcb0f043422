//! Names to addresses, in a thread of its own.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use mio::Waker;

use crate::name::{Family, ResolveError, resolve};

/// Looks names up in a thread, one after the other, and wakes the event loop for each answer.
///
/// The thread starts with the first name: who never asks has none.
///
/// It asks the system's resolver, so `/etc/hosts` and `nsswitch.conf` count.
#[derive(Debug, Default)]
pub struct Resolver {
    thread: Option<Channels>,
}

#[derive(Debug)]
struct Channels {
    questions: Sender<Question>,
    answers: Receiver<Resolved>,
}

#[derive(Debug)]
struct Question {
    id: u64,
    name: String,
    port: u16,
    family: Family,
}

/// The answer to [`Resolver::ask`].
#[derive(Debug)]
pub struct Resolved {
    /// The number that the question had.
    pub id: u64,
    /// The name that was asked for.
    pub name: String,
    /// Its addresses, at least one, or why there are none.
    pub addresses: Result<Vec<SocketAddr>, ResolveError>,
}

impl Resolver {
    /// One that has not been asked yet.
    pub const fn new() -> Self {
        Self { thread: None }
    }

    /// Asks for the addresses of `name`, each to be given `port`. `id` comes back with the answer.
    /// `waker` is that of the loop to wake, the same each time.
    ///
    /// The thread ends when the resolver is dropped and its last answer is there.
    ///
    /// # Errors
    ///
    /// If the system refuses a thread. Asking again tries again.
    pub fn ask(
        &mut self,
        waker: Arc<Waker>,
        id: u64,
        name: &str,
        port: u16,
        family: Family,
    ) -> io::Result<()> {
        let channels = match self.thread.take() {
            Some(channels) => channels,
            None => Channels::start(waker)?,
        };
        // The thread lives as long as the resolver.
        let _ = channels.questions.send(Question {
            id,
            name: name.to_owned(),
            port,
            family,
        });
        self.thread = Some(channels);
        Ok(())
    }

    /// The next answer, if there is one. Ask until there is none whenever the loop was woken.
    pub fn answer(&self) -> Option<Resolved> {
        self.thread.as_ref()?.answers.try_recv().ok()
    }
}

impl Channels {
    fn start(waker: Arc<Waker>) -> io::Result<Self> {
        let (questions, inbox) = channel::<Question>();
        let (outbox, answers) = channel();
        thread::Builder::new()
            .name("resolver".to_owned())
            .stack_size(256 << 10)
            .spawn(move || {
                for question in inbox {
                    let Question {
                        id,
                        name,
                        port,
                        family,
                    } = question;
                    let addresses = resolve(&name, port, family);
                    let answer = Resolved {
                        id,
                        name,
                        addresses,
                    };
                    if outbox.send(answer).is_err() {
                        return;
                    }
                    // If the loop cannot be woken it is gone, or finds the answer later.
                    let _ = waker.wake();
                }
            })?;
        Ok(Self { questions, answers })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mio::{Events, Poll, Token};

    use super::*;

    #[test]
    fn answers_wake_the_loop() {
        let mut poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(7)).unwrap());
        let mut resolver = Resolver::new();
        assert!(resolver.answer().is_none());
        for (id, name) in [(1, "127.0.0.3"), (2, "not a name")] {
            resolver
                .ask(Arc::clone(&waker), id, name, 123, Family::Any)
                .unwrap();
        }
        let mut events = Events::with_capacity(4);
        let mut answers = Vec::new();
        for _ in 0..100 {
            poll.poll(&mut events, Some(Duration::from_secs(5)))
                .unwrap();
            assert!(events.iter().all(|event| event.token() == Token(7)));
            answers.extend(std::iter::from_fn(|| resolver.answer()));
            if answers.len() == 2 {
                break;
            }
        }
        assert_eq!(answers[0].id, 1);
        let addresses = answers[0].addresses.as_ref().unwrap();
        assert_eq!(addresses[..], ["127.0.0.3:123".parse().unwrap()]);
        assert_eq!((answers[1].id, &*answers[1].name), (2, "not a name"));
        assert!(answers[1].addresses.is_err());
    }
}
