//! Autokey requests and their answers.

use std::{net::IpAddr, time::Duration as Elapsed};

use ntp_autokey::{Credentials, Finished, Host, Refusal, Reply, Response};
use ntp_restrict::RestrictFlags;
use ntp_wire::{AssociationId, Header, Packet};
use rand::Rng;

use super::Engine;
use crate::{
    Arrival, Event, IdentityFiles, Output, Severity, What, Work, Worked, event::Subject, responder,
    work::Asker,
};

/// A lost Autokey client is told to begin anew no more often than this, all clients together.
const RESTART_INTERVAL: Elapsed = Elapsed::from_secs(1);

/// The files of Autokey are looked at this often.
pub(super) const IDENTITY_INTERVAL: Elapsed = Elapsed::from_secs(60);

/// Public-key work that may be under way at a time; what is asked for beyond that is dropped, and
/// the client asks again.
const MOST_WORK: usize = 64;

impl Engine {
    /// A request with Autokey's extension fields, or whose cookie is not ours.
    pub(super) fn autokey_request(&mut self, arrival: &Arrival, flags: RestrictFlags, data: &[u8]) {
        let (Some(host), Ok(packet)) = (&mut self.autokey, Packet::parse(data)) else {
            return;
        };
        let mut header = [0; Header::LENGTH];
        responder::emit(&self.view, arrival, packet.header(), &mut header);
        let exchange = ntp_autokey::Exchange {
            local: arrival.local,
            remote: arrival.remote.ip(),
            now: arrival.now.wall,
            monotonic: arrival.now.monotonic,
            synchronised: self.system.state.is_synchronised(),
        };
        let mut reply = header.to_vec();
        let answer = host.respond(&exchange, &packet, &mut reply);
        let send = |data: Vec<u8>| Output::Send {
            local: arrival.local,
            remote: arrival.remote,
            stamped: false,
            data: data.into(),
        };
        match answer {
            Ok(Response::Reply(Reply::Sealed)) => self.outputs.push_back(send(reply)),
            // As with any other wrong MAC.
            Ok(Response::Reply(Reply::CryptoNak { .. }))
                if flags.contains(RestrictFlags::NO_TRUST) => {}
            Ok(Response::Reply(Reply::CryptoNak { restart })) => {
                self.outputs.push_back(send(reply));
                if let Some(key_id) = restart
                    && self.next_restart <= self.now.monotonic
                {
                    self.next_restart = self.now.monotonic + RESTART_INTERVAL;
                    let mut packet = header.to_vec();
                    host.session_keys().seal_restart(
                        arrival.local,
                        arrival.remote.ip(),
                        key_id,
                        &mut packet,
                    );
                    self.outputs.push_back(send(packet));
                }
            }
            Ok(Response::Work(job)) if self.at_work < MOST_WORK => {
                self.at_work += 1;
                self.outputs.push_back(Output::Work(Box::new(Work {
                    asker: Asker::Client {
                        arrival: *arrival,
                        request: *packet.header(),
                    },
                    job: *job,
                })));
            }
            Ok(Response::Work(_)) | Err(Refusal::TooMuchWork(_)) => {
                self.responder.note_too_much_work();
            }
            Err(_) => {}
        }
        self.report_host();
    }

    /// A client with Autokey searches for servers in `group`.
    pub(super) fn autokey_search(
        &mut self,
        arrival: &Arrival,
        group: IpAddr,
        flags: RestrictFlags,
        packet: &Packet<'_>,
    ) {
        let Some(host) = &self.autokey else {
            return;
        };
        let exchange = ntp_autokey::Exchange {
            local: arrival.local,
            remote: arrival.remote.ip(),
            now: arrival.now.wall,
            monotonic: arrival.now.monotonic,
            synchronised: self.system.state.is_synchronised(),
        };
        let mut header = [0; Header::LENGTH];
        responder::emit(&self.view, arrival, packet.header(), &mut header);
        let mut reply = header.to_vec();
        let answered = host.respond_to_search(&exchange, group, packet, &mut reply);
        if answered.is_ok()
            && self
                .responder
                .admits(&self.view, arrival, packet.header(), flags)
        {
            self.outputs.push_back(Output::Send {
                local: arrival.local,
                remote: arrival.remote,
                stamped: false,
                data: reply.into(),
            });
        } else {
            self.responder.note_declined();
        }
    }

    /// The public-key work for a request is done.
    pub(super) fn autokey_worked(&mut self, worked: Option<Box<Worked>>) {
        self.at_work = self.at_work.saturating_sub(1);
        let Some(Worked { asker, finished }) = worked.map(|worked| *worked) else {
            return;
        };
        match asker {
            Asker::Client { arrival, request } => self.answer_client(arrival, &request, finished),
            Asker::Peer(id) => self.answer_peer(id, finished),
        }
        self.report_host();
    }

    fn answer_client(&mut self, mut arrival: Arrival, request: &Header, finished: Finished) {
        let Some(host) = &mut self.autokey else {
            return;
        };
        arrival.now = self.now;
        let mut header = [0; Header::LENGTH];
        responder::emit(&self.view, &arrival, request, &mut header);
        let mut reply = header.to_vec();
        if host.finish(finished, &mut reply).is_ok() {
            self.outputs.push_back(Output::Send {
                local: arrival.local,
                remote: arrival.remote,
                stamped: false,
                data: reply.into(),
            });
        }
    }

    fn answer_peer(&mut self, id: AssociationId, finished: Finished) {
        let now = self.now.monotonic;
        let found = self.associations.iter_mut().find(|one| one.id == id);
        let (Some(host), Some(association)) = (&mut self.autokey, found) else {
            return;
        };
        let Some(autokey) = association
            .server_mut()
            .and_then(|server| server.autokey.as_mut())
        else {
            return;
        };
        autokey.finish(host, finished);
        if let Some(wait) = autokey.take_soon() {
            association.schedule.hurry(now, wait);
        }
    }

    /// Has the work done that a peer has asked for.
    pub(super) fn have_peers_work_done(&mut self, index: usize) {
        let Some(association) = self.associations.get_mut(index) else {
            return;
        };
        let id = association.id;
        let Some(autokey) = association
            .server_mut()
            .and_then(|server| server.autokey.as_mut())
        else {
            return;
        };
        while let Some(job) = autokey.take_job() {
            if self.at_work >= MOST_WORK {
                autokey.drop_job();
                self.responder.note_too_much_work();
                continue;
            }
            self.at_work += 1;
            self.outputs.push_back(Output::Work(Box::new(Work {
                asker: Asker::Peer(id),
                job,
            })));
        }
    }

    /// The secret changes when it is time, and the files are looked at now and then.
    pub(super) fn watch_identity(&mut self) {
        if self.autokey.is_none() && self.autokey_options.is_none() {
            return;
        }
        let now = self.now.wall;
        let turned = self.autokey.as_mut().is_some_and(|host| host.turn(now));
        if self.next_identity <= self.now.monotonic {
            self.next_identity = self.now.monotonic + IDENTITY_INTERVAL;
            self.outputs.push_back(Output::WatchIdentity);
        }
        if turned {
            self.publish();
        }
    }

    /// The files of Autokey are others than they were.
    pub(super) fn renew_identity(&mut self, files: IdentityFiles) {
        self.groups.renew(files.groups);
        let Some(credentials) = files.credentials else {
            return;
        };
        let Some(host) = &mut self.autokey else {
            return self.begin_autokey(credentials);
        };
        match host.renew(self.now.wall, credentials) {
            Ok(false) => {}
            Ok(true) => {
                let until = host.expires();
                let name = host.name().to_owned();
                for association in &mut self.associations {
                    let autokey = association
                        .server_mut()
                        .and_then(|server| server.autokey.as_mut());
                    if let Some(autokey) = autokey {
                        autokey.host_renewed(host);
                    }
                }
                self.publish();
                let text = format!("crypto: new files taken for {name}");
                self.note(Severity::Information, text);
                if until < self.now.wall {
                    self.note(
                        Severity::Error,
                        "crypto: our new certificate has expired, too: make one with ntp-keygen",
                    );
                }
            }
            Err(error) => self.note(
                Severity::Error,
                format!("crypto: the new files are not used, the old ones stay: {error}"),
            ),
        }
    }

    /// The files were not there, or of no use, when the daemon was started.
    fn begin_autokey(&mut self, credentials: Credentials) {
        let Some(options) = self.autokey_options.clone() else {
            return;
        };
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        match Host::new(credentials, options, seed) {
            Ok(host) => {
                let text = format!("crypto: host {}: its files are there now", host.name());
                self.autokey = Some(host);
                self.publish();
                self.note(Severity::Information, text);
            }
            Err(error) => self.note(Severity::Error, format!("crypto: {error}")),
        }
    }

    /// What Autokey has to say of ourselves.
    pub(super) fn report_host(&mut self) {
        while let Some(event) = self.autokey.as_mut().and_then(Host::poll_event) {
            self.report(Event {
                severity: Severity::Information,
                about: Subject::System,
                what: What::Autokey(event.to_string()),
            });
        }
    }
}
