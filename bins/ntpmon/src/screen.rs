//! The screen.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Borders, Clear, Paragraph, Row, Table, TableState, Wrap},
};

use crate::{
    authentication::authentication,
    figures::{bars, client_lines, clock, interval, polls, quality, signed, time_of_day},
    monitor::Monitor,
    snapshot::{Snapshot, Source},
    verdict::verdict,
};

const HELP: &str = "\
Up, Down    choose a source       Home, End   the first, the last
?           this help             q, Esc      leave

In front of a source: * followed, + combined with it, # and . spare,
- scatters too much, x disagrees with the majority, blank not usable.
Polls: the last eight, the newest at the right; | was answered.
Bars: the last answers, between the least and the greatest shown.";

/// Draws all that is known.
pub(crate) fn draw(frame: &mut Frame<'_>, monitor: &Monitor) {
    let area = frame.area();
    let Some(snapshot) = &monitor.latest else {
        let words = match &monitor.silence {
            None => format!("asking {} ...", monitor.host),
            Some(reason) => format!("{}: {reason}", monitor.host),
        };
        let paragraph = Paragraph::new(words).wrap(Wrap { trim: true });
        frame.render_widget(paragraph, area);
        return;
    };
    let rows = u16::try_from(snapshot.sources.len() + 2).unwrap_or(u16::MAX);
    let spare = area.height.saturating_sub(4 + 3 + 1);
    let [head, sources, chosen, below, foot] = Layout::vertical([
        Constraint::Length(4),
        Constraint::Length(rows.min(spare.max(3))),
        Constraint::Length(3),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(area);
    draw_head(frame, head, monitor, snapshot);
    draw_sources(frame, sources, monitor, snapshot);
    draw_chosen(frame, chosen, monitor, snapshot);
    draw_below(frame, below, monitor, snapshot);
    let keys = "q quit   ? help   up/down choose a source";
    frame.render_widget(Paragraph::new(keys).style(dim()), foot);
    if monitor.help {
        draw_help(frame, area);
    }
}

fn draw_head(frame: &mut Frame<'_>, area: Rect, monitor: &Monitor, snapshot: &Snapshot) {
    let [bound, offset, frequency, wander] = quality(&snapshot.system);
    let state = match snapshot.system.is_synchronised() {
        true => Style::new().fg(Color::Green),
        false => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
    };
    let silence = match &monitor.silence {
        Some(reason) => Line::styled(
            format!("NO ANSWER since {}: {reason}", time_of_day(snapshot.taken)),
            Style::new().fg(Color::Red),
        ),
        None => Line::raw(format!("{frequency}, {wander}")),
    };
    let lines = vec![
        Line::from(vec![
            Span::styled(monitor.host.clone(), bold()),
            Span::raw(format!("  {} UTC  ", time_of_day(snapshot.taken))),
            Span::styled(snapshot.system.version.clone(), dim()),
        ]),
        Line::styled(clock(snapshot), state),
        Line::raw(format!("{bound}; {offset}")),
        silence,
    ];
    frame.render_widget(Paragraph::new(lines), area);
}

/// The columns that a terminal of some width has room for.
struct Columns {
    name: u16,
    jitter: bool,
    polls: bool,
    /// Bars of the offset and of the delay; 0 is none.
    bars: u16,
    verdict: bool,
}

impl Columns {
    const fn of(width: u16) -> Self {
        Self {
            name: match width {
                0..64 => 16,
                64..100 => 20,
                _ => 24,
            },
            jitter: width >= 100,
            polls: width >= 64,
            bars: match width {
                0..80 => 0,
                80..100 => 9,
                100..130 => 12,
                _ => 16,
            },
            verdict: width >= 130,
        }
    }

    fn constraints(&self) -> Vec<Constraint> {
        let mut list = vec![
            Constraint::Length(1),
            Constraint::Length(self.name),
            Constraint::Length(2),
        ];
        list.extend(self.polls.then_some(Constraint::Length(8)));
        list.extend([Constraint::Length(11); 2]);
        list.extend(self.jitter.then_some(Constraint::Length(11)));
        if self.bars > 0 {
            list.extend([Constraint::Length(self.bars); 2]);
        }
        list.extend(self.verdict.then_some(Constraint::Min(20)));
        list
    }

    fn heading(&self) -> Vec<&'static str> {
        let mut cells = vec!["", "source", "st"];
        cells.extend(self.polls.then_some("polls"));
        cells.extend(["offset", "delay"]);
        cells.extend(self.jitter.then_some("jitter"));
        if self.bars > 0 {
            cells.extend(["offsets", "delays"]);
        }
        cells.extend(self.verdict.then_some("why"));
        cells
    }

    fn cells(&self, monitor: &Monitor, source: &Source) -> Vec<String> {
        let stratum = source
            .stratum
            .map_or_else(|| "?".to_owned(), |stratum| stratum.to_string());
        let mut cells = vec![
            source.status.selection().tally().to_string(),
            source.name.clone(),
            stratum,
        ];
        cells.extend(self.polls.then(|| polls(source.reach)));
        cells.extend([signed(source.offset), interval(source.delay)]);
        cells.extend(self.jitter.then(|| interval(source.jitter)));
        if self.bars > 0 {
            let width = usize::from(self.bars);
            let track = monitor.tracks.get(&source.id);
            cells.push(track.map_or_else(String::new, |track| bars(track.offsets.iter(), width)));
            cells.push(track.map_or_else(String::new, |track| bars(track.delays.iter(), width)));
        }
        cells.extend(self.verdict.then(|| verdict(source).to_owned()));
        cells
    }
}

fn draw_sources(frame: &mut Frame<'_>, area: Rect, monitor: &Monitor, snapshot: &Snapshot) {
    let columns = Columns::of(area.width);
    let rows = snapshot.sources.iter().map(|source| {
        let colour = match (source.is_used(), source.status.is_reachable()) {
            (true, _) => Color::Green,
            (false, true) => Color::Yellow,
            (false, false) => Color::Red,
        };
        Row::new(columns.cells(monitor, source)).style(Style::new().fg(colour))
    });
    let title = match snapshot.more_sources {
        0 => " Sources ".to_owned(),
        more => format!(" Sources, and {more} more "),
    };
    let table = Table::new(rows, columns.constraints())
        .header(Row::new(columns.heading()).style(bold()))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED))
        .block(Block::new().borders(Borders::TOP).title(title));
    let mut state = TableState::new().with_selected(Some(monitor.chosen));
    frame.render_stateful_widget(table, area, &mut state);
}

fn draw_chosen(frame: &mut Frame<'_>, area: Rect, monitor: &Monitor, snapshot: &Snapshot) {
    let Some(source) = snapshot.sources.get(monitor.chosen) else {
        let words = "The daemon has no sources: add server lines to its configuration.";
        frame.render_widget(Paragraph::new(words), area);
        return;
    };
    let poll = source
        .poll
        .and_then(|exponent| 1_u32.checked_shl(exponent.into()));
    let poll = poll.map_or_else(String::new, |seconds| format!(", asked every {seconds} s"));
    let lines = vec![
        Line::styled(format!("{}: {}", source.name, verdict(source)), bold()),
        Line::raw(format!(
            "authentication: {}; reference {}{poll}",
            authentication(source),
            source.reference_id
        )),
    ];
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: true }), area);
}

fn draw_below(frame: &mut Frame<'_>, area: Rect, monitor: &Monitor, snapshot: &Snapshot) {
    let (heading, lines) = client_lines(&snapshot.clients);
    let wanted = u16::try_from(lines.len() + 1).unwrap_or(u16::MAX);
    let [log, clients] = if area.width >= 110 {
        Layout::horizontal([Constraint::Min(50), Constraint::Length(52)]).areas(area)
    } else {
        // What changed counts for more than who asks.
        let clients = wanted.min(area.height / 2);
        let clients = if area.height < 8 { 0 } else { clients };
        Layout::vertical([Constraint::Min(0), Constraint::Length(clients)]).areas(area)
    };
    let room = usize::from(log.height.saturating_sub(1));
    let entries: Vec<Line<'_>> = monitor
        .log
        .iter()
        .skip(monitor.log.len().saturating_sub(room))
        .map(|entry| Line::raw(format!("{} {}", time_of_day(entry.at), entry.words)))
        .collect();
    let block = Block::new().borders(Borders::TOP).title(" Changes ");
    frame.render_widget(Paragraph::new(entries).block(block), log);
    let lines: Vec<Line<'_>> = lines.into_iter().map(Line::raw).collect();
    let block = Block::new()
        .borders(Borders::TOP)
        .title(format!(" {heading} "));
    frame.render_widget(Paragraph::new(lines).block(block), clients);
}

fn draw_help(frame: &mut Frame<'_>, area: Rect) {
    let height = u16::try_from(HELP.lines().count() + 2).unwrap_or(u16::MAX);
    let [_, middle, _] = Layout::vertical([
        Constraint::Fill(1),
        Constraint::Length(height),
        Constraint::Fill(1),
    ])
    .areas(area);
    let [_, middle, _] = Layout::horizontal([
        Constraint::Fill(1),
        Constraint::Max(74),
        Constraint::Fill(1),
    ])
    .areas(middle);
    frame.render_widget(Clear, middle);
    let block = Block::bordered().title(" Help ");
    let help = Paragraph::new(HELP).wrap(Wrap { trim: false }).block(block);
    frame.render_widget(help, middle);
}

const fn bold() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}

const fn dim() -> Style {
    Style::new().add_modifier(Modifier::DIM)
}

#[cfg(test)]
mod tests;
