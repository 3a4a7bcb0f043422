//! PEM as key files have it: several blocks, comments between them, and the header lines of
//! RFC 1421 that tell how a traditional private key is encrypted.

use base64ct::{Base64, Encoding};
use thiserror::Error;
use zeroize::Zeroizing;

/// One block between `BEGIN` and `END`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PemBlock {
    /// `RSA PRIVATE KEY`, `CERTIFICATE`, ...
    pub(crate) label: String,
    /// `DEK-Info`: the cipher and its initialisation vector.
    pub(crate) encryption: Option<(String, Vec<u8>)>,
    /// What the base64 stands for.
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// Why text is no PEM.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum PemError {
    /// A block that never ends.
    #[error("line {line}: the block `{label}` has no END line; the file may be cut off")]
    Unfinished {
        /// Where it begins.
        line: usize,
        /// What it says it is.
        label: String,
    },
    /// What stands in a block is not base64.
    #[error("line {line}: the block `{label}` holds something that is not base64")]
    NotBase64 {
        /// Where it begins.
        line: usize,
        /// What it says it is.
        label: String,
    },
    /// The line that tells how it is encrypted makes no sense.
    #[error("line {line}: the DEK-Info line does not name a cipher and its vector")]
    BadEncryption {
        /// Where the block begins.
        line: usize,
    },
}

impl PemBlock {
    /// All blocks of `text`, in order.
    pub(crate) fn parse_all(text: &str) -> Result<Vec<Self>, PemError> {
        let mut blocks = Vec::new();
        let mut lines = text.lines().enumerate();
        while let Some((index, line)) = lines.next() {
            let label = line
                .trim()
                .strip_prefix("-----BEGIN ")
                .and_then(|rest| rest.strip_suffix("-----"));
            if let Some(label) = label {
                let body = lines.by_ref().map(|(_, line)| line.trim());
                blocks.push(Self::parse(label, index + 1, body)?);
            }
        }
        Ok(blocks)
    }

    fn parse<'a>(
        label: &str,
        line: usize,
        lines: impl Iterator<Item = &'a str>,
    ) -> Result<Self, PemError> {
        let end = format!("-----END {label}-----");
        let mut encryption = None;
        let mut base64 = Zeroizing::new(String::new());
        let mut finished = false;
        for text in lines {
            if text == end {
                finished = true;
                break;
            }
            match text.split_once(':') {
                Some(("DEK-Info", value)) => {
                    let parsed = value.split_once(',').and_then(|(cipher, vector)| {
                        let vector = base16ct::mixed::decode_vec(vector.trim()).ok()?;
                        Some((cipher.trim().to_owned(), vector))
                    });
                    encryption = Some(parsed.ok_or(PemError::BadEncryption { line })?);
                }
                Some(_) => {}
                None => base64.push_str(text),
            }
        }
        let label = label.to_owned();
        if !finished {
            return Err(PemError::Unfinished { line, label });
        }
        match Base64::decode_vec(&base64) {
            Ok(body) => Ok(Self {
                label,
                encryption,
                body: Zeroizing::new(body),
            }),
            Err(_) => Err(PemError::NotBase64 { line, label }),
        }
    }

    /// The text of the block, lines of 64 characters.
    pub(crate) fn write(&self, out: &mut String) {
        out.push_str(&format!("-----BEGIN {}-----\n", self.label));
        if let Some((cipher, vector)) = &self.encryption {
            let vector = base16ct::upper::encode_string(vector);
            out.push_str(&format!(
                "Proc-Type: 4,ENCRYPTED\nDEK-Info: {cipher},{vector}\n\n"
            ));
        }
        let base64 = Zeroizing::new(Base64::encode_string(&self.body));
        let mut rest = base64.as_str();
        while !rest.is_empty() {
            let (line, more) = rest.split_at_checked(64).unwrap_or((rest, ""));
            out.push_str(line);
            out.push('\n');
            rest = more;
        }
        out.push_str(&format!("-----END {}-----\n", self.label));
    }
}

/// What it holds stays unseen.
impl std::fmt::Debug for PemBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PemBlock({}, {} octets)", self.label, self.body.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn several_blocks_and_comments_are_read() {
        let text = "# one\n-----BEGIN A-----\nAQID\n-----END A-----\n# two\n\
            -----BEGIN B C-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES-CBC,0102030405060708\n\n\
            BAUG\r\n-----END B C-----\n";
        let blocks = PemBlock::parse_all(text).unwrap();
        assert_eq!(blocks.len(), 2);
        assert_eq!(
            (blocks[0].label.as_str(), &blocks[0].body[..]),
            ("A", &[1, 2, 3][..])
        );
        let (cipher, vector) = blocks[1].encryption.clone().unwrap();
        assert_eq!(
            (cipher.as_str(), vector),
            ("DES-CBC", vec![1, 2, 3, 4, 5, 6, 7, 8])
        );
    }

    #[test]
    fn damage_is_named() {
        let unfinished = PemBlock::parse_all("x\n-----BEGIN A-----\nAQID\n").unwrap_err();
        assert_eq!(
            unfinished,
            PemError::Unfinished {
                line: 2,
                label: "A".into()
            }
        );
        let text = "-----BEGIN A-----\n%%%\n-----END A-----\n";
        let damaged = PemBlock::parse_all(text).unwrap_err();
        assert_eq!(
            damaged,
            PemError::NotBase64 {
                line: 1,
                label: "A".into()
            }
        );
        let text = "-----BEGIN A-----\nDEK-Info: x\n\nAQID\n-----END A-----\n";
        assert_eq!(
            PemBlock::parse_all(text).unwrap_err(),
            PemError::BadEncryption { line: 1 }
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(body: Vec<u8>, vector in proptest::option::of(any::<[u8; 8]>())) {
            let block = PemBlock {
                label: "RSA PRIVATE KEY".into(),
                encryption: vector.map(|vector| ("DES-CBC".into(), vector.to_vec())),
                body: Zeroizing::new(body),
            };
            let mut text = String::from("# comment\n");
            block.write(&mut text);
            prop_assert_eq!(PemBlock::parse_all(&text), Ok(vec![block]));
        }

        #[test]
        fn no_text_makes_it_panic(text in "(-----BEGIN A-----\n|-----END A-----\n|DEK-Info: |AQID|\n|:|.){0,40}") {
            let _ = PemBlock::parse_all(&text);
        }
    }
}
