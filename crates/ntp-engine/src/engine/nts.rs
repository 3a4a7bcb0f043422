//! The keys of NTS cookies: who has them, and when they change.

use std::sync::Arc;

use ntp_discipline::Now;
use ntp_nts::CookieKeys;
use rand::Rng;

use super::Engine;
use crate::Output;

/// The keys to begin with: those that were kept, else new ones. Whether they are new.
pub(super) fn first_keys(
    kept: Option<CookieKeys>,
    rng: &mut impl Rng,
    now: Now,
) -> (Arc<CookieKeys>, bool) {
    let (unix, _) = now.wall.to_unix();
    let is_new = kept.is_none();
    let keys = kept.unwrap_or_else(|| CookieKeys::new(rng, unix));
    (Arc::new(keys), is_new)
}

impl Engine {
    /// Makes a new key of cookies once a day.
    pub(super) fn renew_cookie_keys(&mut self) {
        // Before the clock is right, nothing is known of days.
        let Some(keys) = self
            .cookie_keys
            .as_mut()
            .filter(|_| self.system.state.is_synchronised())
        else {
            return;
        };
        let (now, _) = self.now.wall.to_unix();
        if keys.is_due(now) && Arc::make_mut(keys).rotate(&mut self.rng, now) {
            self.keep_cookie_keys();
            self.publish();
        }
    }

    /// Has the keys written, so that cookies survive a restart.
    pub(super) fn keep_cookie_keys(&mut self) {
        self.outputs
            .extend(self.cookie_keys.clone().map(Output::KeepCookieKeys));
    }
}
