//! The command line.

use clap::Parser;

/// Shows on one screen how an NTP daemon is: its clock, its sources and why each is used or not,
/// who asks it, and what changed while it was watched. It asks over mode 6, as ntpq does.
#[derive(Debug, Parser)]
#[command(name = "ntpmon", version)]
pub(crate) struct Arguments {
    /// Ask at this UDP port.
    #[arg(short, long, value_name = "PORT", default_value_t = 123)]
    pub(crate) port: u16,
    /// Ask every so many seconds.
    #[arg(short, long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub(crate) interval: u16,
    /// Print what there is now as plain text, and end.
    #[arg(short = '1', long)]
    pub(crate) once: bool,
    /// Ask so many times, print the screen as an SVG picture, and end.
    #[arg(long, value_name = "TIMES", conflicts_with = "once",
          value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub(crate) picture: Option<u16>,
    /// The width of the picture, in characters.
    #[arg(long, value_name = "N", default_value_t = 100, requires = "picture",
          value_parser = clap::value_parser!(u16).range(40..=300))]
    pub(crate) columns: u16,
    /// The height of the picture, in lines.
    #[arg(long, value_name = "N", default_value_t = 28, requires = "picture",
          value_parser = clap::value_parser!(u16).range(10..=200))]
    pub(crate) rows: u16,
    /// The host to ask.
    #[arg(value_name = "HOST", default_value = "localhost")]
    pub(crate) host: String,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_options_are_consistent() {
        Arguments::command().debug_assert();
    }
}
