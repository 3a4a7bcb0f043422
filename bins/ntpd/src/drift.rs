//! The drift file: one line with the frequency correction in ppm.

use std::{io, path::Path};

use ntp_os::{read_file, write_atomically};
use ntp_wire::Ppm;

/// No oscillator that works is worse.
const LIMIT: f64 = 500.0;

/// The frequency in the file; `None` if there is no file.
///
/// # Errors
///
/// What is wrong with the file, in words that name it.
pub(crate) fn read(path: &Path) -> Result<Option<Ppm>, String> {
    let contents = match read_file(path, 4096) {
        Ok(contents) => contents,
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let text = String::from_utf8_lossy(&contents.bytes);
    let value = text
        .split_ascii_whitespace()
        .next()
        .and_then(|word| word.parse::<f64>().ok());
    match value {
        Some(value) if value.is_finite() && value.abs() <= LIMIT => Ok(Some(Ppm::new(value))),
        _ => Err(format!(
            "the drift file {} holds no frequency between -500 and 500: it is not used, \
             and will be written anew",
            path.display()
        )),
    }
}

/// Writes the file whole or not at all.
pub(crate) fn write(path: &Path, frequency: Ppm) -> io::Result<()> {
    write_atomically(
        path,
        format!("{:.3}\n", frequency.value()).as_bytes(),
        0o644,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Option<Ppm>, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("drift");
        std::fs::write(&path, text).unwrap();
        read(&path)
    }

    #[test]
    fn what_is_written_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("drift");
        assert_eq!(read(&path), Ok(None));
        write(&path, Ppm::new(-12.3456)).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "-12.346\n");
        assert_eq!(read(&path), Ok(Some(Ppm::new(-12.346))));
    }

    #[test]
    fn nonsense_is_refused_with_the_files_name() {
        for text in ["", "\n", "fast", "nan", "inf", "1e9", "-500.1"] {
            let problem = read_text(text).unwrap_err();
            assert!(problem.contains("drift"), "{problem}");
        }
        // The second line of old drift files is passed over.
        assert_eq!(read_text("1.5 6\n7\n"), Ok(Some(Ppm::new(1.5))));
    }
}
