//! `--simulate`: what the daemon would do, in a world that is made of arithmetic.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use ntp_os::{ReadFileError, complain, read_file};
use ntp_sim::{Plot, Report, Scenario, ScenarioError};

/// No scenario is longer.
const LONGEST: u64 = 1 << 20;

/// Why there is no table, or no plot.
#[derive(Debug, thiserror::Error)]
enum SimulateError {
    #[error("{0}")]
    Read(#[from] ReadFileError),
    #[error("{} is no text; a scenario is a text file in UTF-8", .0.display())]
    NotText(PathBuf),
    #[error("{0}")]
    Scenario(#[from] ScenarioError),
    #[error("{} is the scenario; give the plot another name by --plot", .0.display())]
    Overwrites(PathBuf),
    #[error("the plot can't be written to {path}: {source}; give another file by --plot", path = path.display())]
    Plot { path: PathBuf, source: io::Error },
    #[error("the table can't be printed: {0}")]
    Print(#[from] io::Error),
}

/// Carries out the scenario of a file: opens no socket and touches no clock.
pub(crate) fn run(file: &Path, plot: Option<&Path>) -> ExitCode {
    match simulate(file, plot) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("ntpd: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn simulate(file: &Path, plot: Option<&Path>) -> Result<(), SimulateError> {
    let text = String::from_utf8(read_file(file, LONGEST)?.bytes)
        .map_err(|_| SimulateError::NotText(file.to_owned()))?;
    let scenario = Scenario::parse(&file.to_string_lossy(), &text, "")?;
    let plot = plot.map_or_else(|| file.with_extension("svg"), Path::to_owned);
    if plot == file {
        return Err(SimulateError::Overwrites(plot));
    }
    let mut summaries = Vec::new();
    for seed in 1..=scenario.seeds {
        let run = scenario.run(seed.into());
        if seed == 1 {
            let image = Plot::new(&scenario, &run).to_string();
            fs::write(&plot, image).map_err(|source| SimulateError::Plot {
                path: plot.clone(),
                source,
            })?;
        }
        summaries.push(run.summary);
    }
    let report = Report::new(&scenario, summaries);
    writeln!(io::stdout(), "{report}\nplot: {}", plot.display())?;
    Ok(())
}
