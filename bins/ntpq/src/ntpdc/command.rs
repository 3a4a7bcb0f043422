//! The commands by their names.

/// What a command does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    AddPeer,
    AddReferenceClock,
    AddServer,
    AddTrap,
    Ask(Question),
    Broadcast,
    ClearTrap,
    ControlKey,
    Debug,
    Delay,
    DeleteRestriction,
    Disable,
    Enable,
    Fudge,
    Help,
    Host,
    HostNames,
    KeyId,
    KeyType,
    Password,
    Quit,
    ReadKeys,
    RequestKey,
    Reset,
    ResetPeer,
    Restrict,
    Timeout,
    TrustKey,
    Unconfigure,
    Unrestrict,
    UntrustKey,
    Version,
}

/// What changes nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Question {
    Authentication,
    ClockDebugging,
    Clocks,
    Clients,
    Control,
    InputOutput,
    Interfaces,
    Kernel,
    Loop,
    Memory,
    Packets,
    Peer,
    Peers,
    PeersByMerit,
    PeerStatistics,
    ReloadInterfaces,
    Restrictions,
    Sources,
    System,
    Timer,
    Traps,
}

/// What a word after a command must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Address,
    Integer,
    Text,
    Unsigned,
    /// `-4` or `-6`
    Family,
}

/// A word after a command: what it must be, whether it may be left out, and what usage calls it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Argument {
    pub(crate) kind: Kind,
    pub(crate) is_optional: bool,
    pub(crate) name: &'static str,
}

/// A command, and what `help` says of it.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) name: &'static str,
    pub(crate) action: Action,
    pub(crate) arguments: &'static [Argument],
    pub(crate) purpose: &'static str,
}

/// No command, or several.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NotFound {
    Unknown,
    Ambiguous,
}

impl Command {
    /// Its line of usage.
    pub(crate) fn usage(&self) -> String {
        let mut text = format!("usage: {}", self.name);
        let mut has_family = false;
        for argument in self.arguments {
            if argument.kind == Kind::Address && !has_family {
                text += " [ -4|-6 ]";
                has_family = true;
            }
            text += &match argument.is_optional {
                true => format!(" [ {} ]", argument.name),
                false => format!(" {}", argument.name),
            };
        }
        text + "\n"
    }
}

/// The command of that name, or the only one whose name begins so.
pub(crate) fn find(name: &str) -> Result<&'static Command, NotFound> {
    let name = if name == "?" { "help" } else { name };
    if let Some(command) = COMMANDS.iter().find(|command| command.name == name) {
        return Ok(command);
    }
    let mut candidates = COMMANDS
        .iter()
        .filter(|command| command.name.starts_with(name));
    match (candidates.next(), candidates.next()) {
        (Some(command), None) => Ok(command),
        (Some(_), Some(_)) => Err(NotFound::Ambiguous),
        (None, _) => Err(NotFound::Unknown),
    }
}

/// The names of all commands.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|command| command.name)
}

/// The names of all commands, in columns.
pub(crate) fn list() -> String {
    const SCREEN: usize = 78;
    let width = names().map(str::len).max().unwrap_or_default() + 1;
    let rows = COMMANDS.len().div_ceil((SCREEN / width).max(1));
    let mut text = "ntpdc commands:\n".to_owned();
    for row in 0..rows {
        for command in COMMANDS.iter().skip(row).step_by(rows) {
            text += &format!("{:width$}", command.name);
        }
        text.push('\n');
    }
    text
}

const fn needed(kind: Kind, name: &'static str) -> Argument {
    Argument {
        kind,
        is_optional: false,
        name,
    }
}

const fn optional(kind: Kind, name: &'static str) -> Argument {
    Argument {
        kind,
        is_optional: true,
        name,
    }
}

macro_rules! commands {
    ($($name:literal $action:expr, [$($argument:expr),*], $purpose:literal;)*) => {
        &[$(Command {
            name: $name,
            action: $action,
            arguments: const { &[$($argument),*] },
            purpose: $purpose,
        }),*]
    };
}

const PEERS: [Argument; 4] = [
    needed(Kind::Address, "peer_address"),
    optional(Kind::Address, "peer2_addr"),
    optional(Kind::Address, "peer3_addr"),
    optional(Kind::Address, "peer4_addr"),
];
const CLOCKS: [Argument; 4] = [
    needed(Kind::Address, "address"),
    optional(Kind::Address, "address"),
    optional(Kind::Address, "address"),
    optional(Kind::Address, "address"),
];
const KEYS: [Argument; 4] = [
    needed(Kind::Unsigned, "keyid"),
    optional(Kind::Unsigned, "keyid"),
    optional(Kind::Unsigned, "keyid"),
    optional(Kind::Unsigned, "keyid"),
];
const SOURCE_OPTIONS: &str =
    "minpoll#|prefer|burst|iburst|'minpoll N'|'maxpoll N'|'keyid N'|'version N' ...";
const SOURCE: [Argument; 4] = [
    needed(Kind::Address, "addr"),
    optional(Kind::Text, "keyid"),
    optional(Kind::Text, "version"),
    optional(Kind::Text, SOURCE_OPTIONS),
];
const SWITCHES: [Argument; 4] = [
    needed(Kind::Text, "auth|bclient|monitor|pll|kernel|stats"),
    optional(Kind::Text, "..."),
    optional(Kind::Text, "..."),
    optional(Kind::Text, "..."),
];
const RESTRICTION: [Argument; 4] = [
    needed(Kind::Address, "address"),
    needed(Kind::Address, "mask"),
    needed(
        Kind::Text,
        "ntpport|ignore|noserve|notrust|noquery|nomodify|nopeer|version|kod",
    ),
    optional(Kind::Text, "..."),
];
const TRAP: [Argument; 3] = [
    needed(Kind::Address, "address"),
    optional(Kind::Unsigned, "port"),
    optional(Kind::Address, "interface"),
];
const FAMILY: Argument = optional(Kind::Family, "-4|-6");

/// In the order of `help`.
const COMMANDS: &[Command] = {
    use Action::*;
    use Question::*;
    commands! {
        "addpeer" AddPeer, [SOURCE[0], SOURCE[1], SOURCE[2], SOURCE[3]], "take up a peer";
        "addrefclock" AddReferenceClock, [needed(Kind::Address, "addr"), optional(Kind::Unsigned, "mode"), optional(Kind::Text, "minpoll|prefer"), optional(Kind::Text, "minpoll|prefer")], "take up a reference clock";
        "addserver" AddServer, [SOURCE[0], SOURCE[1], SOURCE[2], SOURCE[3]], "take up a server";
        "addtrap" AddTrap, [TRAP[0], TRAP[1], TRAP[2]], "have somebody told of events";
        "authinfo" Ask(Authentication), [], "show counters of symmetric authentication";
        "broadcast" Broadcast, [SOURCE[0], SOURCE[1], SOURCE[2], optional(Kind::Text, "minpoll")], "tell a network the time";
        "clkbug" Ask(ClockDebugging), [CLOCKS[0], CLOCKS[1], CLOCKS[2], CLOCKS[3]], "show what drivers of reference clocks have to say";
        "clockstat" Ask(Clocks), [CLOCKS[0], CLOCKS[1], CLOCKS[2], CLOCKS[3]], "show how reference clocks are";
        "clrtrap" ClearTrap, [TRAP[0], TRAP[1], TRAP[2]], "have somebody told of events no longer";
        "controlkey" ControlKey, [KEYS[0]], "choose the key of ntpq";
        "ctlstats" Ask(Control), [], "show counters of control messages";
        "debug" Debug, [optional(Kind::Text, "no|more|less")], "tell more or less of what happens";
        "delay" Delay, [optional(Kind::Integer, "msec")], "set the delay that is added to timestamps of authenticated requests";
        "delrestrict" DeleteRestriction, [RESTRICTION[0], RESTRICTION[1], optional(Kind::Text, "ntpport")], "remove an entry of the restrictions";
        "disable" Disable, [SWITCHES[0], SWITCHES[1], SWITCHES[2], SWITCHES[3]], "turn parts of the daemon off";
        "dmpeers" Ask(PeersByMerit), [FAMILY], "show the sources, marked by what the selection made of them";
        "enable" Enable, [SWITCHES[0], SWITCHES[1], SWITCHES[2], SWITCHES[3]], "turn parts of the daemon on";
        "exit" Quit, [], "leave ntpdc";
        "fudge" Fudge, [needed(Kind::Address, "address"), needed(Kind::Text, "time1|time2|val1|val2|flags"), needed(Kind::Text, "value")], "correct a reference clock";
        "help" Help, [optional(Kind::Text, "command")], "list the commands, or tell what one does";
        "host" Host, [optional(Kind::Text, "-4|-6"), optional(Kind::Text, "hostname")], "choose the host to ask";
        "hostnames" HostNames, [optional(Kind::Text, "yes|no")], "show names of hosts, or addresses";
        "ifreload" Ask(ReloadInterfaces), [], "have the daemon look up its addresses anew, and show them";
        "ifstats" Ask(Interfaces), [], "show the addresses of the daemon";
        "iostats" Ask(InputOutput), [], "show counters of what came and went";
        "kerninfo" Ask(Kernel), [], "show the kernel's clock";
        "keyid" KeyId, [optional(Kind::Unsigned, "key#")], "choose the key that signs requests";
        "keytype" KeyType, [optional(Kind::Text, "(md5|des)")], "choose the type of that key";
        "listpeers" Ask(Sources), [FAMILY], "list the sources";
        "loopinfo" Ask(Loop), [optional(Kind::Text, "oneline|multiline")], "show the clock loop";
        "memstats" Ask(Memory), [], "show how much memory sources take";
        "monlist" Ask(Clients), [optional(Kind::Integer, "version")], "list the clients; no daemon of today does";
        "passwd" Password, [optional(Kind::Text, "")], "give the password of the key that signs requests";
        "peers" Ask(Peers), [FAMILY], "show the sources";
        "preset" ResetPeer, [PEERS[0], PEERS[1], PEERS[2], PEERS[3]], "have counters of sources begin anew";
        "pstats" Ask(PeerStatistics), [PEERS[0], PEERS[1], PEERS[2], PEERS[3]], "show counters of sources";
        "quit" Quit, [], "leave ntpdc";
        "readkeys" ReadKeys, [], "have the daemon read its keys again";
        "requestkey" RequestKey, [KEYS[0]], "choose the key of ntpdc";
        "reset" Reset, [needed(Kind::Text, "io|sys|mem|timer|auth|ctl|allpeers"), SWITCHES[1], SWITCHES[2], SWITCHES[3]], "have counters begin anew";
        "reslist" Ask(Restrictions), [FAMILY], "show the restrictions";
        "restrict" Restrict, [RESTRICTION[0], RESTRICTION[1], RESTRICTION[2], RESTRICTION[3]], "forbid somebody something";
        "showpeer" Ask(Peer), [PEERS[0], PEERS[1], PEERS[2], PEERS[3]], "show all of some sources";
        "sysinfo" Ask(System), [], "show the system at a glance";
        "sysstats" Ask(Packets), [], "show how long the daemon has run, and counters of packets";
        "timeout" Timeout, [optional(Kind::Unsigned, "msec")], "set how long to wait for an answer";
        "timerstats" Ask(Timer), [], "show counters of the timer";
        "traps" Ask(Traps), [], "show who is told of events";
        "trustedkey" TrustKey, [KEYS[0], KEYS[1], KEYS[2], KEYS[3]], "trust keys";
        "unconfig" Unconfigure, [PEERS[0], PEERS[1], PEERS[2], PEERS[3]], "let go of sources";
        "unrestrict" Unrestrict, [RESTRICTION[0], RESTRICTION[1], RESTRICTION[2], RESTRICTION[3]], "allow somebody again what is forbidden to him";
        "untrustedkey" UntrustKey, [KEYS[0], KEYS[1], KEYS[2], KEYS[3]], "trust keys no longer";
        "version" Version, [], "show the version of ntpdc";
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
        assert_eq!(name("sysi"), Ok("sysinfo"));
        assert_eq!(name("?"), Ok("help"));
        assert_eq!(name("peers"), Ok("peers"));
        assert_eq!(name("p"), Err(NotFound::Ambiguous));
        assert_eq!(name("nosuch"), Err(NotFound::Unknown));
    }

    #[test]
    fn usage_names_what_follows() {
        let usage = |name| find(name).map(Command::usage);
        assert_eq!(
            usage("delrestrict").unwrap(),
            "usage: delrestrict [ -4|-6 ] address mask [ ntpport ]\n"
        );
        assert_eq!(usage("peers").unwrap(), "usage: peers [ -4|-6 ]\n");
        assert_eq!(usage("sysinfo").unwrap(), "usage: sysinfo\n");
    }
}
