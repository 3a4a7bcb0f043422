//! Directories with keys, and runs of the program in them.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use ntp_keys::KeyFile;
use tempfile::TempDir;

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn says(&self, text: &str) -> bool {
        self.stderr.contains(text)
    }
}

pub(crate) fn command(directory: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ntp-keygen"));
    command
        .args(line.split(' '))
        .current_dir(directory)
        .stdin(Stdio::null());
    command
}

pub(crate) fn keygen(directory: &Path, line: &str) -> Run {
    let output = command(directory, line).output().unwrap();
    Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A copy of the keys of one `-T -I -p redhat`.
pub(crate) fn server() -> TempDir {
    static KEYS: OnceLock<TempDir> = OnceLock::new();
    let keys = KEYS.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let run = keygen(directory.path(), "-T -I -p redhat -s server");
        assert_eq!(run.code, Some(0), "{run:?}");
        assert_eq!(run.stdout, "");
        directory
    });
    let copy = tempfile::tempdir().unwrap();
    for name in names(keys.path()) {
        let (from, to) = (keys.path().join(&name), copy.path().join(&name));
        match fs::read_link(&from) {
            Ok(target) => symlink(target, to).unwrap(),
            Err(_) => drop(fs::copy(from, to).unwrap()),
        }
    }
    copy
}

pub(crate) fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

pub(crate) fn open(path: &Path) -> KeyFile {
    KeyFile::parse(&fs::read_to_string(path).unwrap()).unwrap()
}

pub(crate) fn target(directory: &TempDir, link: &str) -> PathBuf {
    fs::read_link(directory.path().join(link)).unwrap()
}

/// All that is in a directory: names, what links lead to, what files hold.
pub(crate) fn everything(directory: &Path) -> Vec<(String, Option<PathBuf>, Vec<u8>)> {
    names(directory)
        .into_iter()
        .map(|name| {
            let path = directory.join(&name);
            let link = fs::read_link(&path).ok();
            (name, link, fs::read(path).unwrap_or_default())
        })
        .collect()
}
