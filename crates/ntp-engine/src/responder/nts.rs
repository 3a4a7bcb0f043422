//! Requests with Network Time Security (RFC 8915 section 5).

use ntp_nts::{CookieError, CookieKeys, Inspection};
use ntp_wire::Packet;

/// What was done with NTS, by the names of NTPsec's `ntpq -c ntsinfo`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NtsCounters {
    /// Authentic requests.
    pub requests: u64,
    /// Requests whose cookie or authenticator is of no use.
    pub bad_requests: u64,
    /// Answers.
    pub answers: u64,
    /// Cookies given with them.
    pub cookies_made: u64,
    /// Cookies sealed with the newest key, with that before, and so on; the last is all older ones.
    pub cookies: [u64; 4],
    /// Cookies whose key is not there any more, or never was.
    pub cookies_too_old: u64,
    /// Cookies that were changed, or are not ours.
    pub cookies_bad: u64,
}

impl NtsCounters {
    /// Adds what was done elsewhere.
    pub(crate) fn add(&mut self, other: &Self) {
        // Taken apart, so that none is forgotten.
        let Self {
            requests,
            bad_requests,
            answers,
            cookies_made,
            cookies,
            cookies_too_old,
            cookies_bad,
        } = other;
        self.requests += requests;
        self.bad_requests += bad_requests;
        self.answers += answers;
        self.cookies_made += cookies_made;
        for (ours, theirs) in self.cookies.iter_mut().zip(cookies) {
            *ours += theirs;
        }
        self.cookies_too_old += cookies_too_old;
        self.cookies_bad += cookies_bad;
    }

    /// Looks for NTS in a request, and counts what it finds.
    pub(super) fn inspect<'a>(&mut self, keys: &CookieKeys, packet: &Packet<'a>) -> Inspection<'a> {
        let found = ntp_nts::inspect(keys, packet);
        match &found {
            Inspection::Plain => {}
            Inspection::Malformed => self.bad_requests += 1,
            Inspection::Refused(refused) => {
                self.bad_requests += 1;
                match refused.cookie {
                    Some(CookieError::Key(_)) => self.cookies_too_old += 1,
                    Some(_) => self.cookies_bad += 1,
                    None => {}
                }
            }
            Inspection::Authentic(asked) => {
                self.requests += 1;
                let age = asked.age.rotations().min(self.cookies.len() - 1);
                if let Some(cookies) = self.cookies.get_mut(age) {
                    *cookies += 1;
                }
            }
        }
        found
    }
}
