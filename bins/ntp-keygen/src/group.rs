//! Identity groups: which there are, how their files and links are called, and how they are made.

use ntp_keys::{
    GenerateError, GqGroup, IffGroup, KeyFile, KeyFileError, MvKeys, Protection, WriteError,
    write_gq_group, write_iff_group, write_mv_keys, write_mv_server,
};
use rand::CryptoRng;

use crate::{
    arguments::Arguments,
    journal::tell,
    names::Names,
    store::{Moment, NewFile},
};

/// The schemes that have a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scheme {
    Iff,
    Gq,
    Mv,
}

impl Scheme {
    pub(crate) const ALL: [Self; 3] = [Self::Iff, Self::Gq, Self::Mv];

    /// As messages and the names of files have it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Iff => "IFF",
            Self::Gq => "GQ",
            Self::Mv => "MV",
        }
    }

    /// The link to the file that everything else of the group can be made from.
    pub(crate) fn link(self, owner: &str) -> String {
        match self {
            Self::Iff => format!("ntpkey_iffkey_{owner}"),
            Self::Gq => format!("ntpkey_gqkey_{owner}"),
            Self::Mv => format!("ntpkey_mvta_{owner}"),
        }
    }

    /// The same as of 2008.
    pub(crate) fn link_of_2008(self, owner: &str) -> String {
        format!("ntpkey_{}_{owner}", self.name().to_lowercase())
    }

    /// Whether a new group is asked for.
    pub(crate) const fn is_wanted(self, arguments: &Arguments) -> bool {
        match self {
            Self::Iff => arguments.iff_key,
            Self::Gq => arguments.gq,
            Self::Mv => arguments.mv_clients.is_some(),
        }
    }

    /// Opens a file of such a group, to see whether it can be.
    pub(crate) fn check(self, file: &KeyFile, password: &str) -> Result<(), KeyFileError> {
        match self {
            Self::Iff => file.iff_group(password).map(drop),
            Self::Gq => file.gq_group(password).map(drop),
            Self::Mv => match file.mv_server(password) {
                // It is of no use, and no hindrance for others.
                Err(KeyFileError::Group(problem)) => {
                    tell(&format!(
                        "Warning: {}: {problem}; -V makes a new one",
                        file.name()
                    ));
                    Ok(())
                }
                other => other.map(drop),
            },
        }
    }
}

/// What the files of new groups have in common.
pub(crate) struct Maker<'a> {
    pub(crate) moment: &'a Moment,
    pub(crate) protection: &'a Protection<'a>,
    pub(crate) names: &'a Names,
}

impl Maker<'_> {
    /// An IFF group with its secret.
    pub(crate) fn iff<R: CryptoRng>(
        &self,
        bits: u32,
        random: &mut R,
    ) -> Result<NewFile, GroupFailure> {
        let bits = bits.max(IffGroup::LEAST_MODULUS_BITS);
        tell(&format!("Generating IFF keys ({bits} bits)..."));
        let group = IffGroup::generate(bits, random)?;
        let name = self.name("IFFkey");
        let (date, protection) = (&self.moment.date, Some(self.protection));
        let text = write_iff_group(&name, date, &group, protection, random)?;
        tell(
            "Clients of the group need the parameters that -e prints, and anew if there was an IFF key before",
        );
        Ok(self.file("iffkey", name, text))
    }

    /// A GQ group with its secret; v of it goes into the certificate.
    pub(crate) fn gq<R: CryptoRng>(
        &self,
        bits: u32,
        random: &mut R,
    ) -> Result<(NewFile, GqGroup), GroupFailure> {
        let bits = bits.max(GqGroup::LEAST_MODULUS_BITS);
        tell(&format!("Generating GQ keys ({bits} bits)..."));
        let group = GqGroup::generate(bits, random)?;
        if bits > 1024 {
            tell(
                "Clients with ntpd 4.2.8 can't read the certificate of such a group: for them make \
                 one with -b 1024 at most",
            );
        }
        let name = self.name("GQkey");
        let (date, protection) = (&self.moment.date, Some(self.protection));
        let text = write_gq_group(&name, date, &group, protection, random)?;
        tell(
            "Clients of the group need the parameters that -e prints, and anew if there was a GQ key before",
        );
        Ok((self.file("gqkey", name, text), group))
    }

    /// All keys of an MV group: the authority's file, and the server's.
    pub(crate) fn mv<R: CryptoRng>(
        &self,
        clients: u32,
        bits: u32,
        random: &mut R,
    ) -> Result<[NewFile; 2], GroupFailure> {
        tell(&format!("Generating MV parameters for {clients} keys..."));
        let keys = MvKeys::generate(clients, bits, random)?;
        let (date, protection) = (&self.moment.date, Some(self.protection));
        let name = self.name("MVta");
        let text = write_mv_keys(&name, date, &keys, protection, random)?;
        let authority = self.file("mvta", name, text);
        let name = self.name("MVkey");
        let text = write_mv_server(&name, date, &keys.server, protection, random)?;
        let server = self.file("mvkey", name, text);
        let last = clients - 1;
        tell(&format!(
            "Clients 1 to {last} of the group need the keys that -e -v NUMBER prints, one each; \
             number {clients} is revoked"
        ));
        Ok([authority, server])
    }

    fn name(&self, kind: &str) -> String {
        format!(
            "ntpkey_{kind}_{}.{}",
            self.names.group(),
            self.moment.filestamp
        )
    }

    fn file(&self, kind: &'static str, name: String, text: zeroize::Zeroizing<String>) -> NewFile {
        NewFile {
            kind,
            name,
            link: format!("ntpkey_{kind}_{}", self.names.host),
            text,
            mode: NewFile::PRIVATE,
        }
    }
}

/// Why there is no new group.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GroupFailure {
    #[error("no identity group was made: {0}")]
    Generate(#[from] GenerateError),
    #[error("a group cannot be written: {0}")]
    Write(#[from] WriteError),
}
