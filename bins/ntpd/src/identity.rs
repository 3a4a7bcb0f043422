//! stub
use crate::log::Log;
use ntp_autokey::{Credentials, IffGroups};
use ntp_conf::Crypto;
use std::path::Path;
pub(crate) struct Identity {
    pub(crate) credentials: Option<Credentials>,
    pub(crate) groups: IffGroups,
}
pub(crate) fn load(_d: &Path, _c: &Crypto, _l: &mut Log) -> Identity {
    Identity {
        credentials: None,
        groups: IffGroups::new(),
    }
}
