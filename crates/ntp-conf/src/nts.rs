//! `nts` and the options of `server … nts`: Network Time Security (RFC 8915).

use std::path::{Path, PathBuf};

use crate::{
    Word,
    line::Line,
    reader::{Problem, Reader},
};

/// What `nts` lines say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Nts {
    /// `enable`: keys are given to clients, and requests made with them are answered.
    pub enabled: bool,
    /// `cert`: the file of our certificate, and of those that lead to its root.
    pub certificate: Option<PathBuf>,
    /// `key`: the file of the private key of that.
    pub key: Option<PathBuf>,
    /// `ca`: the file, or directory, of the authorities that servers are judged by; the system's if
    /// `None`.
    pub authorities: Option<PathBuf>,
    /// `cookie`: where the keys of cookies are kept.
    pub cookie_file: PathBuf,
}

impl Default for Nts {
    fn default() -> Self {
        Self {
            enabled: false,
            certificate: None,
            key: None,
            authorities: None,
            cookie_file: PathBuf::from(Self::COOKIE_FILE),
        }
    }
}

const WORDS: [&str; 11] = [
    "aead",
    "ca",
    "cert",
    "cookie",
    "disable",
    "enable",
    "key",
    "maxtls",
    "mintls",
    "tlsciphers",
    "tlsciphersuites",
];

impl Nts {
    /// `cookie` where none is written.
    pub const COOKIE_FILE: &str = "/var/lib/ntp/nts-keys";

    pub(crate) fn read(&mut self, reader: &mut Reader<'_>) -> Result<(), Problem> {
        let mut next = Some(reader.expect("an option of `nts`")?);
        while let Some(word) = next {
            match word.keyword() {
                "enable" => self.enabled = true,
                "disable" => self.enabled = false,
                "cert" => self.certificate = Some(reader.path("a file")?),
                "key" => self.key = Some(reader.path("a file")?),
                "ca" => self.authorities = Some(reader.path("a file or a directory")?),
                "cookie" => self.cookie_file = reader.path("a file")?,
                "mintls" | "maxtls" => tls_version(word, reader)?,
                "aead" => algorithm(word, reader)?,
                "tlsciphers" | "tlsciphersuites" => {
                    reader.expect("a list of ciphers")?;
                    reader.remarks.push(Problem::warning(
                        &word.span,
                        format!("`{}` is understood but not carried out", word.keyword()),
                        "the ciphers of TLS 1.3 are all good; leave it out",
                    ));
                }
                _ => return Err(Problem::unknown(word, "option of `nts`", &WORDS)),
            }
            next = reader.take();
        }
        Ok(())
    }

    pub(crate) fn write(&self, out: &mut String) {
        let name = |word: &str, path: Option<&Path>, out: &mut String| {
            if let Some(path) = path {
                let line = Line::new("nts").word(word);
                line.name(&path.to_string_lossy()).end(out);
            }
        };
        name("cert", self.certificate.as_deref(), out);
        name("key", self.key.as_deref(), out);
        name("ca", self.authorities.as_deref(), out);
        let is_usual = self.cookie_file == Path::new(Self::COOKIE_FILE);
        name(
            "cookie",
            Some(&*self.cookie_file).filter(|_| !is_usual),
            out,
        );
        if self.enabled {
            Line::new("nts").word("enable").end(out);
        }
    }
}

/// How a server with `nts` is asked for keys.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NtsServer {
    /// `ask`: the NTP server that it should send us to, with a port if one follows a colon.
    pub ask: Option<String>,
    /// `ca`: the file, or directory, of the authorities that it is judged by, in place of those of
    /// [`Nts::authorities`].
    pub authorities: Option<PathBuf>,
    /// `cert`: the file of our own certificate and its key, if it wants one.
    pub certificate: Option<PathBuf>,
    /// `noval`: whoever answers is believed.
    pub no_validation: bool,
}

impl NtsServer {
    /// The options that only servers with `nts` have.
    pub(crate) const OPTIONS: [&str; 4] = ["ask", "ca", "cert", "noval"];

    pub(crate) fn read_option(
        &mut self,
        word: &Word,
        reader: &mut Reader<'_>,
    ) -> Result<(), Problem> {
        match word.keyword() {
            "ask" => self.ask = Some(reader.text("the name of an NTP server")?),
            "ca" => self.authorities = Some(reader.path("a file or a directory")?),
            "cert" => self.certificate = Some(reader.path("a file")?),
            _ => self.no_validation = true,
        }
        Ok(())
    }

    pub(crate) fn write(&self, line: Line) -> Line {
        let text = |path: &Option<PathBuf>| {
            path.as_ref()
                .map(|path| path.to_string_lossy().into_owned())
        };
        line.word("nts")
            .named("ask", self.ask.as_deref())
            .named("ca", text(&self.authorities).as_deref())
            .named("cert", text(&self.certificate).as_deref())
            .flag("noval", self.no_validation)
    }
}

/// NTS is defined for TLS 1.3 and later, and there is no later one.
fn tls_version(word: &Word, reader: &mut Reader<'_>) -> Result<(), Problem> {
    let version = reader.expect("a version of TLS, `TLS1.3`")?;
    let name = version.text.to_ascii_lowercase();
    let number = name.trim_start_matches("tls").trim_start_matches('v');
    match (word.keyword(), number) {
        (_, "1.3") => Ok(()),
        ("mintls", "1.2" | "1.1" | "1.0") => {
            reader.remarks.push(Problem::warning(
                &version.span,
                "TLS 1.3 is spoken and nothing below it: RFC 8915 wants it so",
                "write `mintls TLS1.3`, or leave it out",
            ));
            Ok(())
        }
        _ => Err(Problem::error(
            &version.span,
            format!(
                "`{}` must be TLS1.3: NTS is spoken over nothing else",
                word.keyword()
            ),
            "leave it out",
        )),
    }
}

fn algorithm(word: &Word, reader: &mut Reader<'_>) -> Result<(), Problem> {
    let name = reader.expect("an algorithm, `AES_SIV_CMAC_256`")?;
    if name.text.eq_ignore_ascii_case("AES_SIV_CMAC_256") {
        return Ok(());
    }
    reader.remarks.push(Problem::warning(
        &name.span,
        format!(
            "`{}`: only AES_SIV_CMAC_256 is known, and used",
            word.keyword()
        ),
        "leave it out: every server and client of NTS knows it",
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::{Parsed, parse};

    fn read(text: &str) -> Parsed {
        parse("ntp.conf", text, |_| Err(String::new()))
    }

    #[test]
    fn lines_add_up_and_are_written_back() {
        let text = "nts cert /a.pem key /b.key\nnts ca /c cookie /d\nnts enable mintls TLS1.3\n\
                    server ntp.example nts ask time.example:124 ca /e cert /f noval\n";
        let parsed = read(text);
        assert!(parsed.diagnostics.is_empty(), "{}", parsed.render());
        let again = read(&parsed.config.write());
        assert_eq!(again.config, parsed.config, "{}", parsed.config.write());
        let nts = &parsed.config.nts;
        assert!(nts.enabled && nts.certificate.is_some() && nts.key.is_some());
        let server = parsed.config.associations[0].nts.as_ref().unwrap();
        assert_eq!(server.ask.as_deref(), Some("time.example:124"));
        assert!(server.no_validation);
        assert!(
            !read("nts cert /a key /b enable\nnts disable\n")
                .config
                .nts
                .enabled
        );
    }

    #[test]
    fn what_can_not_be_is_said() {
        for line in [
            "nts",
            "nts cert",
            "nts enabled",
            "nts maxtls TLS1.2",
            "nts mintls SSL3",
            "nts enable",
            "nts enable cert /a",
            "peer ntp.example nts",
            "pool ntp.example nts",
            "server ntp.example nts key 5",
            "server ntp.example nts autokey",
            "server ntp.example noval",
            "server ntp.example ask time.example",
        ] {
            assert!(read(line).has_errors(), "{line}");
        }
        for line in [
            "nts mintls TLS1.2",
            "nts aead AES_SIV_CMAC_512",
            "nts tlsciphersuites TLS_AES_256_GCM_SHA384",
            "server ntp.example nts version 3",
        ] {
            let parsed = read(line);
            assert!(
                !parsed.has_errors() && !parsed.diagnostics.is_empty(),
                "{line}"
            );
        }
    }
}
