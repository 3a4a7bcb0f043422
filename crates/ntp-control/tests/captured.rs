//! What ntpq 4.2.8p15 asked and printed, from a capture: the requests must be the same bytes, and
//! the text the same characters.
//!
//! A block of `vectors/ntpq.txt` is a command (`$`), when it was given (`@`, Unix seconds), the
//! datagrams that were sent (`>`) and received (`<`) and the text (`|`).

// Whatever is wrong with a capture, the test shall fail.
#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;

use ntp_control::{
    Association, Kind, Progress, Request, Response, Session, Summary, View, associations, cooked,
    peers::{self, Columns},
    status_line,
};
use ntp_wire::{AssociationId, Monotonic, Timestamp, control::Opcode};

struct Exchange {
    session: Session,
    datagrams: VecDeque<(char, Vec<u8>)>,
    list: Vec<Association>,
}

impl Exchange {
    fn ask(&mut self, request: &Request) -> Result<Response, String> {
        let datagram = self.session.ask(request, None, Monotonic::START).unwrap();
        assert_eq!(self.datagrams.pop_front(), Some(('>', datagram)));
        while let Some(('<', datagram)) = self.datagrams.pop_front() {
            match self.session.handle(&datagram, Monotonic::START) {
                Progress::Waiting(ignored) => assert_eq!(ignored, None),
                Progress::Done(response) => return Ok(response),
                Progress::Failed(error) => return Err(format!("***{error}\n")),
            }
        }
        panic!("the capture ends before the answer does");
    }

    fn associations(&mut self) -> &[Association] {
        if self.list.is_empty() {
            let response = self.ask(&Request::list_associations()).unwrap();
            self.list = associations::parse(&response.data).unwrap();
        }
        &self.list
    }

    fn association(&mut self, argument: Option<&str>) -> AssociationId {
        let argument = argument.unwrap_or("0");
        match argument.strip_prefix('&') {
            Some(index) => self.associations()[index.parse::<usize>().unwrap() - 1].id,
            None => AssociationId::new(argument.parse().unwrap()),
        }
    }

    fn peers(&mut self, columns: Columns, all: bool, view: &View<'_>) -> String {
        let mut text = peers::heading(columns, None);
        for association in self.associations().to_vec() {
            if all || association.is_of_interest() {
                let request = Request::read_variables(association.id, "");
                let data = self.ask(&request).unwrap().data;
                let row = peers::row(&association, &data, columns, None, None, view);
                text.push_str(&row.unwrap());
            }
        }
        text
    }

    fn summary(&mut self, summary: Summary, view: &View<'_>) -> String {
        let response = self.ask(&summary.request(AssociationId::SYSTEM)).unwrap();
        summary.text(AssociationId::SYSTEM, response.status, &response.data, view)
    }

    fn variables(&mut self, opcode: Opcode, words: &[&str], view: &View<'_>) -> String {
        let association = self.association(words.first().copied());
        let names = words.get(1..).unwrap_or_default().join(",");
        let request = Request {
            opcode,
            ..Request::read_variables(association, &names)
        };
        let response = match self.ask(&request) {
            Ok(response) => response,
            Err(text) => return text,
        };
        let kind = match opcode {
            Opcode::READ_CLOCK_VARIABLES => Kind::Clock,
            _ => Kind::of(association),
        };
        let mut text = String::new();
        if names.is_empty() {
            let status = response.status;
            let words = status_line(kind, status);
            text = format!("associd={association} status={status:04x} {words},\n");
        }
        text + &cooked(&response.data, view)
    }

    fn run(&mut self, command: &str, view: &View<'_>) -> String {
        let words: Vec<_> = command.split_whitespace().collect();
        let rest = &words[1..];
        match words[0] {
            "as" => associations::table(self.associations(), false),
            "lassociations" => associations::table(self.associations(), true),
            "pe" => self.peers(Columns::ReferenceId, false, view),
            "lpeers" => self.peers(Columns::ReferenceId, true, view),
            "apeers" => self.peers(Columns::AssociationId, false, view),
            "opeers" => self.peers(Columns::Local, false, view),
            "lopeers" => self.peers(Columns::Local, true, view),
            "sysinfo" => self.summary(Summary::System, view),
            "kerninfo" => self.summary(Summary::Kernel, view),
            "sysstats" => self.summary(Summary::Packets, view),
            "monstats" => self.summary(Summary::Monitor, view),
            "authinfo" => self.summary(Summary::Authentication, view),
            "iostats" => self.summary(Summary::InputOutput, view),
            "timerstats" => self.summary(Summary::Timers, view),
            "rv" | "rl" | "readlist" => self.variables(Opcode::READ_VARIABLES, rest, view),
            "mreadvar" => self.variables(Opcode::READ_VARIABLES, &rest[1..], view),
            "cv" | "cl" | "clockvar" | "clocklist" => {
                self.variables(Opcode::READ_CLOCK_VARIABLES, rest, view)
            }
            other => panic!("{other}"),
        }
    }
}

fn octets(hexadecimal: &str) -> Vec<u8> {
    (0..hexadecimal.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hexadecimal[at..at + 2], 16).unwrap())
        .collect()
}

#[test]
fn requests_and_text_are_those_of_the_reference() {
    let mut count = 0;
    for block in include_str!("vectors/ntpq.txt").split("$ ").skip(1) {
        let mut lines = block.lines();
        let command = lines.next().unwrap();
        let mut exchange = Exchange {
            session: Session::new(1),
            datagrams: VecDeque::new(),
            list: Vec::new(),
        };
        let mut expected = String::new();
        let mut now = Timestamp::UNIX_EPOCH;
        for line in lines {
            let (kind, rest) = line.split_at_checked(2).unwrap_or((line, ""));
            match kind.trim_end() {
                "@" => {
                    let (seconds, _) = rest.split_once('.').unwrap();
                    now = Timestamp::from_unix(seconds.parse().unwrap(), 0);
                }
                ">" => exchange.datagrams.push_back(('>', octets(rest))),
                "<" => exchange.datagrams.push_back(('<', octets(rest))),
                _ => expected += &format!("{rest}\n"),
            }
        }
        let (_, argument) = command.split_once("-c ").unwrap();
        let view = View::new(now);
        let text = exchange.run(argument.trim_matches('\''), &view);
        assert_eq!(text, expected, "{command}");
        assert!(exchange.datagrams.is_empty(), "{command}");
        count += 1;
    }
    assert_eq!(count, 27);
}
