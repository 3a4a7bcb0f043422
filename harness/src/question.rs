//! Asking a daemon with our own `ntpq`, and waiting for an answer.

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

use crate::{Run, built};

/// A line of `ntpq -c associations`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// The number of the association, as other commands take it.
    pub association: String,
    /// The column `reach`.
    pub reachable: bool,
    /// The column `auth`: `none`, `yes`, `ok` or `bad`.
    pub authentication: String,
    /// The column `condition`: `reject`, `sys.peer` and so on.
    pub condition: String,
}

impl Listed {
    /// The associations in what `ntpq` printed.
    pub fn all(text: &str) -> Vec<Self> {
        text.lines()
            .filter_map(|line| {
                let words: Vec<&str> = line.split_whitespace().collect();
                let [index, association, _status, _, reach, auth, condition, ..] = words[..] else {
                    return None;
                };
                index.parse::<u16>().ok()?;
                Some(Self {
                    association: association.to_owned(),
                    reachable: reach == "yes",
                    authentication: auth.to_owned(),
                    condition: condition.to_owned(),
                })
            })
            .collect()
    }

    /// Whether this is the server that is followed.
    pub fn is_followed(&self) -> bool {
        self.condition == "sys.peer"
    }
}

/// The value of `name` in what `ntpq` printed, without its quotes.
pub fn value_of(text: &str, name: &str) -> Option<String> {
    let start = format!("{name}=");
    let at = text.match_indices(&start).map(|(at, _)| at).find(|at| {
        let before = text
            .get(..*at)
            .and_then(|before| before.chars().next_back());
        before.is_none_or(|before| before.is_whitespace() || before == ',')
    })?;
    let rest = text.get(at + start.len()..)?;
    let value = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?,
        None => rest.split([',', '\n', '\r', ' ']).next()?,
    };
    Some(value.to_owned())
}

/// Runs `command`, our `ntpq` with whatever leads to a daemon, and gives all that it says.
pub fn answer(command: &mut Command) -> String {
    let run = Run::of(command);
    run.stdout + &run.stderr
}

/// Asks again and again until `done` gives something.
///
/// # Panics
///
/// If that takes longer than `patience`; it says `what` it waited for, and `state` of the matter.
pub fn wait_for<T>(
    patience: Duration,
    what: &str,
    mut done: impl FnMut() -> Option<T>,
    state: impl FnOnce() -> String,
) -> T {
    let end = Instant::now() + patience;
    loop {
        if let Some(value) = done() {
            return value;
        }
        assert!(
            Instant::now() < end,
            "waited {patience:?} in vain for {what}\n{}",
            state()
        );
        thread::sleep(Duration::from_millis(200));
    }
}

impl crate::Host {
    /// What our `ntpq -c command` says of the daemon on this host.
    pub fn ask(&self, command: &str) -> String {
        answer(
            self.command(built("ntpq"))
                .args(["-n", "-c", command, "127.0.0.1"]),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_associations_are_read() {
        let text = "\nind assid status  conf reach auth condition  last_event cnt\n\
                    ===========================================================\n  \
                    1 65047  f61a   yes   yes   ok   sys.peer    sys_peer  1\n  \
                    2 65048  e0ac   yes    no   bad    reject    bad_auth 10\n";
        let all = Listed::all(text);
        assert_eq!(all.len(), 2);
        assert!(all[0].is_followed() && all[0].reachable);
        assert_eq!(all[0].authentication, "ok");
        assert_eq!(all[1].association, "65048");
        assert_eq!(all[1].authentication, "bad");
        assert!(!all[1].reachable && !all[1].is_followed());
    }

    #[test]
    fn values_are_found_by_their_whole_name() {
        let text = "rootdelay=0.249, delay=1.5,\ncert=\"client server 0x4\", flags=0x7f21\n";
        assert_eq!(value_of(text, "delay").as_deref(), Some("1.5"));
        assert_eq!(value_of(text, "cert").as_deref(), Some("client server 0x4"));
        assert_eq!(value_of(text, "flags").as_deref(), Some("0x7f21"));
        assert_eq!(value_of(text, "lay"), None);
    }
}
