//! The commands by their names.

use crate::shell::Step;

/// What a command does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    AddVariables,
    Associations { all: bool, again: bool },
    AuthenticateAlways,
    ClearVariables,
    Clock,
    ClockList,
    Configure,
    ConfigureFromFile,
    Cooked,
    Debug,
    Delay,
    Help,
    Host,
    HostNames,
    KeyId,
    KeyType,
    List,
    MostRecentlyUsed,
    Ordered(ntp_control::OrderedList),
    ListRange,
    Password,
    Peers(ntp_control::peers::Columns, bool),
    Poll,
    Quit,
    Raw,
    Read,
    ReadRange,
    ReferenceIds,
    RemoveVariables,
    SaveConfiguration,
    ShowVariables,
    Summary(ntp_control::Summary),
    Timeout,
    Version,
    Write,
    WriteList,
    NtpVersion,
}

/// A command, and what `help` says of it.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) name: &'static str,
    pub(crate) action: Action,
    pub(crate) usage: &'static str,
    pub(crate) purpose: &'static str,
}

/// No command, or several.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NotFound {
    Unknown,
    Ambiguous,
}

/// Commands that ntpq 4.2.8 has not: what is short for one of its own stays short for that.
const NEW: [&str; 2] = ["ntsinfo", "rpeers"];

/// The command of that name, or the only one whose name begins so.
pub(crate) fn find(name: &str) -> Result<&'static Command, NotFound> {
    let name = if name == "?" { "help" } else { name };
    if let Some(command) = COMMANDS.iter().find(|command| command.name == name) {
        return Ok(command);
    }
    let candidates = COMMANDS
        .iter()
        .filter(|command| command.name.starts_with(name));
    let (new, old): (Vec<_>, Vec<_>) = candidates.partition(|command| NEW.contains(&command.name));
    match (old.as_slice(), new.as_slice()) {
        ([command], _) | ([], [command]) => Ok(command),
        ([], []) => Err(NotFound::Unknown),
        _ => Err(NotFound::Ambiguous),
    }
}

/// The names of all commands.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|command| command.name)
}

/// The names of all commands, in columns.
pub(crate) fn list() -> String {
    let width = COMMANDS.iter().map(|command| command.name.len()).max();
    let width = width.unwrap_or_default() + 1;
    let columns = (80 / width).max(1);
    let rows = COMMANDS.len().div_ceil(columns);
    let mut text = "ntpq commands:\n".to_owned();
    for row in 0..rows {
        for command in COMMANDS.iter().skip(row).step_by(rows) {
            text += &format!("{:width$}", command.name);
        }
        text.push('\n');
    }
    text
}

impl Action {
    /// What follows the command.
    pub(crate) fn step(self) -> Step {
        if self == Self::Quit {
            Step::Quit
        } else {
            Step::Continue
        }
    }
}

macro_rules! commands {
    ($($name:literal $action:expr, $usage:literal, $purpose:literal;)*) => {
        &[$(Command { name: $name, action: $action, usage: $usage, purpose: $purpose }),*]
    };
}

/// In the order of `help`.
const COMMANDS: &[Command] = {
    use Action::*;
    use ntp_control::{OrderedList, Summary, peers::Columns};
    commands! {
        ":config" Configure, "<configuration command line>", "have the daemon obey a line of configuration";
        "addvars" AddVariables, "name[=value][,...]", "put variables on the list of variables";
        "apeers" Peers(Columns::AssociationId, false), "[ -4|-6 ]", "show the peers with the numbers of their associations";
        "associations" Associations { all: false, again: true }, "", "show the associations and their status";
        "authenticate" AuthenticateAlways, "[ yes|no ]", "sign every request, or only those that must be signed";
        "authinfo" Summary(Summary::Authentication), "", "show counters of symmetric authentication";
        "cl" ClockList, "[ assocID ]", "show the variables of a reference clock that are on the list of variables";
        "clearvars" ClearVariables, "", "empty the list of variables";
        "clocklist" ClockList, "[ assocID ]", "show the variables of a reference clock that are on the list of variables";
        "clockvar" Clock, "[ assocID ] [ name=value[,...] ]", "show variables of a reference clock";
        "config-from-file" ConfigureFromFile, "<configuration filename>", "have the daemon obey every line of a file";
        "cooked" Cooked, "", "show variables so that people can read them";
        "cv" Clock, "[ assocID ] [ name=value[,...] ]", "show variables of a reference clock";
        "debug" Debug, "[ no|more|less ]", "tell more or less of what happens";
        "delay" Delay, "[ msec ]", "set the delay that is added to timestamps of encrypted messages";
        "drefid" ReferenceIds, "[ hash|ipv4 ]", "choose how reference identifiers are shown";
        "exit" Quit, "", "leave ntpq";
        "help" Help, "[ command ]", "list the commands, or tell what one does";
        "host" Host, "[ -4|-6 ] [ hostname ]", "choose the host to ask";
        "hostnames" HostNames, "[ yes|no ]", "choose between names and addresses";
        "ifstats" Ordered(OrderedList::Interfaces), "", "show the addresses that the daemon listens on, and what came and went there";
        "iostats" Summary(Summary::InputOutput), "", "show counters of input and output";
        "kerninfo" Summary(Summary::Kernel), "", "show the kernel's clock discipline and PPS";
        "keyid" KeyId, "[ key# ]", "choose the key that signs requests";
        "keytype" KeyType, "[ digest-name ]", "choose what kind of key signs requests";
        "lassociations" Associations { all: true, again: true }, "", "show all associations, those of clients too";
        "lopeers" Peers(Columns::Local, true), "[ -4|-6 ]", "show all peers and clients with our addresses";
        "lpassociations" Associations { all: true, again: false }, "", "show all associations that were last read, without asking again";
        "lpeers" Peers(Columns::ReferenceId, true), "[ -4|-6 ]", "show all peers and clients";
        "monstats" Summary(Summary::Monitor), "", "show counters and limits of the list of clients";
        "mreadlist" ListRange, "assocIDlow assocIDhigh", "show the variables on the list of variables, of several associations";
        "mreadvar" ReadRange, "assocIDlow assocIDhigh [ name=value[,...] ]", "show variables of several associations";
        "mrl" ListRange, "assocIDlow assocIDhigh", "show the variables on the list of variables, of several associations";
        "mrulist" MostRecentlyUsed, "[ tag=value ] [ tag=value ] [ tag=value ] [ tag=value ]", "list recent clients; tags: mincount=N resall=0xBITS resany=0xBITS maxlstint=SECONDS laddr=ADDRESS sort=[-]lstint|avgint|addr|count; kod, limited";
        "mrv" ReadRange, "assocIDlow assocIDhigh [ name=value[,...] ]", "show variables of several associations";
        "ntpversion" NtpVersion, "[ version number ]", "set the version that requests claim";
        "ntsinfo" Summary(Summary::NetworkTimeSecurity), "", "show counters of Network Time Security";
        "opeers" Peers(Columns::Local, false), "[ -4|-6 ]", "show the peers with our addresses";
        "passociations" Associations { all: false, again: false }, "", "show the associations that were last read, without asking again";
        "passwd" Password, "[ password ]", "tell the password of the key that signs requests";
        "peers" Peers(Columns::ReferenceId, false), "[ -4|-6 ]", "show the peers";
        "poll" Poll, "[ n ] [ verbose ]", "there for compatibility; does nothing";
        "pstats" Summary(Summary::Peer), "assocID", "show counters of an association";
        "quit" Quit, "", "leave ntpq";
        "raw" Raw, "", "show variables as they come";
        "readlist" List, "[ assocID ]", "show the variables on the list of variables";
        "readvar" Read, "[ assocID ] [ varname1 ] [ varname2 ] [ varname3 ]", "show variables of the system or of an association";
        "reslist" Ordered(OrderedList::Restrictions), "", "show the restrictions in force";
        "rl" List, "[ assocID ]", "show the variables on the list of variables";
        "rmvars" RemoveVariables, "name[,...]", "take variables off the list of variables";
        "rpeers" Peers(Columns::NameLast, false), "[ -4|-6 ]", "show the peers with their names at the end, whole";
        "rv" Read, "[ assocID ] [ varname1 ] [ varname2 ] [ varname3 ]", "show variables of the system or of an association";
        "saveconfig" SaveConfiguration, "filename", "have the daemon write its configuration to a file";
        "showvars" ShowVariables, "", "show the list of variables";
        "sysinfo" Summary(Summary::System), "", "show the system at a glance";
        "sysstats" Summary(Summary::Packets), "", "show how long the daemon has run, and counters of packets";
        "timeout" Timeout, "[ msec ]", "set how long to wait for an answer";
        "timerstats" Summary(Summary::Timers), "", "show counters of the timer";
        "version" Version, "", "show the version of ntpq";
        "writelist" WriteList, "[ assocID ]", "write the variables on the list of variables";
        "writevar" Write, "assocID name=value,[...]", "write variables of the system or of an association";
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_unique() {
        assert!(COMMANDS.is_sorted_by(|one, other| one.name < other.name));
    }

    #[test]
    fn unique_beginnings_are_enough() {
        let name = |text| find(text).map(|command| command.name);
        assert_eq!(name("as"), Ok("associations"));
        assert_eq!(name("pe"), Ok("peers"));
        assert_eq!(name("rv"), Ok("rv"));
        assert_eq!(name("?"), Ok("help"));
        assert_eq!(name("n"), Ok("ntpversion"));
        assert_eq!(name("nts"), Ok("ntsinfo"));
        assert_eq!(name("rp"), Ok("rpeers"));
        assert_eq!(name("pass"), Err(NotFound::Ambiguous));
        assert_eq!(name("r"), Err(NotFound::Ambiguous));
        assert_eq!(name("nosuch"), Err(NotFound::Unknown));
        assert_eq!(name("AS"), Err(NotFound::Unknown));
    }

    #[test]
    fn the_list_is_eighty_columns_wide_and_whole() {
        let list = list();
        assert!(list.lines().all(|line| line.len() <= 80));
        assert_eq!(list.split_whitespace().count(), COMMANDS.len() + 2);
    }
}
