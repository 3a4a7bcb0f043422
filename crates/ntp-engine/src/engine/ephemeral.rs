//! Associations that nobody wrote a line for: they come by themselves, and go when they are silent.

use bytes::Bytes;
use ntp_restrict::RestrictFlags;
use ntp_wire::AssociationId;

use super::Engine;
use crate::{Arrival, LONGEST_REPLY, Output, Reply, Verdict, association::Association};

/// So many polls without a packet are silence.
const PATIENCE: u32 = 8;

impl Engine {
    /// Whether one more may come. Each can be had by whoever has a key, or by anybody at all if
    /// `disable auth` says so: there must be an end.
    pub(super) fn has_room_for_ephemeral(&self) -> bool {
        let many = self
            .associations
            .iter()
            .filter(|association| association.ephemeral)
            .count();
        many < self.system.limits().maximum_clocks
    }

    /// Whether one more may come who has shown nothing yet: those who have a key are not shut out by
    /// those who have none.
    pub(super) fn has_room_for_unproven(&self) -> bool {
        let unproven = self
            .associations
            .iter()
            .filter(|association| {
                let autokey = association
                    .server()
                    .and_then(|server| server.autokey.as_ref());
                association.ephemeral && autokey.is_some_and(|autokey| !autokey.is_proventic())
            })
            .count();
        unproven < self.system.limits().maximum_clocks / 2
    }

    /// Adds an association that came by itself; gives its place.
    pub(super) fn mobilise(&mut self, mut association: Association) -> usize {
        association.ephemeral = true;
        self.take_in(association)
    }

    /// Adds an association; gives its place.
    pub(super) fn take_in(&mut self, association: Association) -> usize {
        self.associations.push(association);
        let index = self.associations.len().saturating_sub(1);
        self.renew_estimator(index);
        self.admit(index);
        let detail = self.number(index);
        self.peer_event(index, 1, "mobilize", &detail);
        index
    }

    /// Lets go of an association.
    pub(super) fn demobilise(&mut self, index: usize, why: &str) {
        self.peer_event(index, 2, "demobilize", why);
        self.forget_restriction(index);
        if index < self.associations.len() {
            self.associations.remove(index);
        }
    }

    /// Lets go of an association that came by itself and is silent; whether it did.
    pub(super) fn demobilise_if_silent(&mut self, index: usize) -> bool {
        let is_silent = self.associations.get(index).is_some_and(|association| {
            association.ephemeral
                && association.membership.is_none()
                && association.schedule.reach() == 0
                && association.schedule.unanswered() >= PATIENCE
        });
        if is_silent {
            self.demobilise(index, "no answer");
            self.select();
        }
        is_silent
    }

    /// Answers as to one who is not remembered.
    pub(super) fn answer_statelessly(
        &mut self,
        arrival: &Arrival,
        flags: RestrictFlags,
        data: &[u8],
    ) {
        let mut reply = [0; LONGEST_REPLY];
        let verdict = self
            .responder
            .serve(&self.view, arrival, flags, data, &mut reply);
        if let Verdict::Reply(Reply {
            length, stamped, ..
        }) = verdict
        {
            let data = Bytes::copy_from_slice(reply.get(..length).unwrap_or_default());
            self.outputs.push_back(Output::Send {
                local: arrival.local,
                remote: arrival.remote,
                stamped,
                data,
            });
        }
    }

    /// A number that no association has.
    pub(super) fn unused_id(&self) -> AssociationId {
        let last = self.associations.iter().map(|one| one.id.value()).max();
        let mut next = last.unwrap_or(0);
        loop {
            // 0 is the system. There are far fewer associations than numbers.
            next = next.checked_add(1).unwrap_or(1);
            if self.index_of(AssociationId::new(next)).is_none() {
                return AssociationId::new(next);
            }
        }
    }
}
