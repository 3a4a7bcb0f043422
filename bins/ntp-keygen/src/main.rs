//! ntp-keygen: makes the keys, certificates and identity parameters of NTP authentication.
//!
//! What a run makes stands in [`host`], what `-e` prints in [`export`], which password is which in
//! [`password`], and how files and links come to be whole or not at all in [`store`].
#![forbid(unsafe_code)]

mod arguments;
mod certificate;
mod export;
mod group;
mod host;
mod journal;
mod names;
mod password;
mod store;
mod symmetric;

use std::{path::Path, process::ExitCode};

use clap::Parser;
use rand::{SeedableRng, rngs::ChaCha20Rng};
use zeroize::Zeroizing;

use crate::{
    arguments::{Arguments, Refusal},
    export::ExportFailure,
    host::HostFailure,
    journal::tell,
    names::{NameError, Names},
    store::{Store, StoreError},
};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tell(&format!("ntp-keygen: {failure}"));
            ExitCode::from(255)
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    arguments.check()?;
    let names = Names::new(arguments)?;
    tell(&format!(
        "ntp-keygen Meridian {}",
        env!("CARGO_PKG_VERSION")
    ));
    let store = Store::new(Path::new("."));
    let mut random = generator()?;
    if arguments.export {
        return Ok(export::print(arguments, &names, &store, &mut random)?);
    }
    let _lock = store.lock()?;
    if arguments.md5_keys {
        return Ok(symmetric::make(&names, &store, &mut random)?);
    }
    Ok(host::make(arguments, names, &store, &mut random)?)
}

/// A generator that starts from 256 bits of the system's.
fn generator() -> Result<ChaCha20Rng, getrandom::Error> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut())?;
    Ok(ChaCha20Rng::from_seed(*seed))
}

/// Why the program ends with exit code 255.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Refusal(#[from] Refusal),
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Host(#[from] HostFailure),
    #[error(transparent)]
    Export(#[from] ExportFailure),
    #[error("no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}
