//! The table of directives: what there is, and what comes of it in this version.

/// What comes of a directive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It is carried out.
    InForce,
    /// It is understood and kept, and nothing comes of it; the text says what is missing.
    NotCarriedOut(&'static str),
}

/// One directive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Directive {
    /// The word that a line starts with.
    pub keyword: &'static str,
    /// What comes of it.
    pub standing: Standing,
}

const fn done(keyword: &'static str) -> Directive {
    Directive {
        keyword,
        standing: Standing::InForce,
    }
}

const fn missing(keyword: &'static str, what: &'static str) -> Directive {
    Directive {
        keyword,
        standing: Standing::NotCarriedOut(what),
    }
}

/// Every directive, by name. Who carries out one more changes its line here.
pub const DIRECTIVES: [Directive; 69] = [
    missing("automax", "a list of session keys lives for 12, 4096 s"),
    done("broadcast"),
    done("broadcastclient"),
    done("broadcastdelay"),
    missing("calldelay", "packets of a burst are 2 s apart"),
    done("controlkey"),
    done("crypto"),
    done("disable"),
    done("discard"),
    done("discipline"),
    done("driftfile"),
    done("dscp"),
    done("enable"),
    done("filegen"),
    done("fudge"),
    done("hwtimestamp"),
    done("ident"),
    done("includefile"),
    done("interface"),
    done("keys"),
    done("keysdir"),
    done("leapfile"),
    done("leapsmearinterval"),
    done("logconfig"),
    done("logfile"),
    done("manycastclient"),
    done("manycastserver"),
    missing("mdnstries", "the server is not registered with mDNS"),
    done("metrics"),
    done("mru"),
    done("multicastclient"),
    done("nic"),
    missing("nonvolatile", "the drift file is written every hour"),
    missing("ntpsigndsocket", "answers are not signed for Windows"),
    done("nts"),
    done("peer"),
    missing("phone", "there are no modem clocks"),
    done("pidfile"),
    missing("pollskewlist", "polls are spread as they always are"),
    done("pool"),
    done("requestkey"),
    missing("reset", "counters start at zero anyway"),
    done("restrict"),
    done("revoke"),
    missing("rlimit", "the system's limits hold"),
    missing("saveconfig", "it is a command of ntpq"),
    done("saveconfigdir"),
    done("server"),
    done("setvar"),
    missing("simulate", "this daemon does not simulate"),
    done("statistics"),
    done("statsdir"),
    missing("tick", "the system's tick is kept"),
    done("threads"),
    done("tinker"),
    done("tos"),
    missing("trap", "nobody is told of events"),
    done("trustedkey"),
    done("ttl"),
    missing("unconfig", "leave out the line of the server instead"),
    missing("unpeer", "leave out the line of the server instead"),
    done("xdp"),
    // Directives of earlier versions, so that their files are understood.
    missing("authenticate", "it is of xntp 3; see `enable auth`"),
    missing("authdelay", "it is of xntp 3, and is measured today"),
    missing("clientlimit", "it is of ntpd 4.1; see `mru`"),
    missing("clientperiod", "it is of ntpd 4.1; see `discard`"),
    missing("precision", "it is of xntp 3, and is measured today"),
    missing("resolver", "it is of xntp 3"),
    missing("publickey", "it is of ntpd 4.0; see `crypto`"),
];

impl Directive {
    /// The directive of that name, which is written in lower case.
    pub fn find(keyword: &str) -> Option<&'static Self> {
        DIRECTIVES
            .iter()
            .find(|directive| directive.keyword == keyword)
    }
}
