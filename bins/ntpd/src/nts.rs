//! Network Time Security, as far as it has files, connections and threads.

use std::{io, net::IpAddr, path::PathBuf, sync::Arc};

use mio::Waker;
use ntp_conf::Config;
use ntp_engine::{Engine, KeyOrder, ServerView};
use ntp_nts::CookieKeys;
use ntp_wire::Timestamp;

use crate::{
    key_client::{Exchanged, KeyClient},
    key_service::{KeyService, Opened},
    log::Log,
    nts_files,
};

/// What runs beside the event loop for NTS.
pub(crate) struct Nts {
    cookie_file: PathBuf,
    /// Until it is started.
    opened: Option<Opened>,
    service: Option<KeyService>,
    client: KeyClient,
}

impl Nts {
    /// Opens what `config` asks for, while root can; what is wrong goes into the log.
    pub(crate) fn open(config: &Config, seed: [u8; 32], log: &mut Log) -> Self {
        let nts = &config.nts;
        let opened = nts.enabled.then(|| Opened::new(nts, seed));
        let opened = opened.and_then(|opened| {
            opened
                .inspect_err(|why| log.error(&format!("no NTS keys are served: {why}")))
                .ok()
        });
        Self {
            cookie_file: nts.cookie_file.clone(),
            opened,
            service: None,
            client: KeyClient::new(),
        }
    }

    /// Whether [`start`](Self::start) has something to start.
    pub(crate) fn wants_to_start(&self) -> bool {
        self.opened.is_some()
    }

    /// Starts the service of keys, at these addresses of ours, which wakes the event loop when
    /// there is something to tell.
    pub(crate) fn start(
        &mut self,
        engine: &Engine,
        addresses: Vec<IpAddr>,
        waker: io::Result<Arc<Waker>>,
        log: &mut Log,
    ) {
        let Some(opened) = self.opened.take() else {
            return;
        };
        let started =
            waker.and_then(|waker| opened.start(engine.view(), addresses, engine.port(), waker));
        match started {
            Ok(service) => self.service = Some(service),
            Err(error) => log.error(&format!("no NTS keys are served: {error}")),
        }
    }

    /// Clients get keys as `view` says.
    pub(crate) fn set_view(&self, view: &Arc<ServerView>) {
        if let Some(service) = &self.service {
            service.set_view(view);
        }
    }

    /// These are our addresses now.
    pub(crate) fn set_addresses(&self, addresses: impl Iterator<Item = IpAddr>) {
        if let Some(service) = &self.service {
            service.set_addresses(addresses.collect());
        }
    }

    /// The certificate may be a new one.
    pub(crate) fn look(&self) {
        if let Some(service) = &self.service {
            service.look();
        }
    }

    /// Puts into the log what is to be told.
    pub(crate) fn report(&self, log: &mut Log) {
        while let Some((severity, text)) = self.service.as_ref().and_then(KeyService::report) {
            log.write(severity, &text);
        }
    }

    /// Asks a server for keys; certificates are judged by the time `now`.
    ///
    /// # Errors
    ///
    /// If there can be no thread for it.
    pub(crate) fn ask(&self, order: KeyOrder, now: Timestamp, waker: Arc<Waker>) -> io::Result<()> {
        let (seconds, _) = now.to_unix();
        // Before 1970 no certificate is valid.
        let seconds = u64::try_from(seconds).unwrap_or_default();
        self.client.ask(order, seconds, waker)
    }

    /// The next server that gave keys, or did not. Ask until there is none whenever the loop was
    /// woken.
    pub(crate) fn exchanged(&self) -> Option<Exchanged> {
        self.client.result()
    }

    /// Keeps the keys of cookies.
    pub(crate) fn keep(&self, keys: &Arc<CookieKeys>, log: &mut Log) {
        nts_files::write_cookie_keys(&self.cookie_file, keys, log);
    }
}
