use proptest::prelude::*;
use ratatui::{Terminal, backend::TestBackend};

use super::*;
use crate::{example, monitor::Key};

fn watched() -> Monitor {
    let mut monitor = Monitor::new("ntp.example");
    for step in 0..40 {
        monitor.take(example::snapshot(step));
    }
    let mut lost = example::snapshot(40);
    lost.sources.remove(3);
    monitor.take(lost);
    monitor.take(example::snapshot(41));
    monitor
}

fn shown(monitor: &Monitor, width: u16, height: u16) -> TestBackend {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, monitor)).unwrap();
    terminal.backend().clone()
}

#[test]
fn a_wide_terminal_shows_all() {
    insta::assert_snapshot!(shown(&watched(), 150, 24));
}

#[test]
fn an_ordinary_terminal_shows_most() {
    let mut monitor = watched();
    monitor.press(Key::Down);
    monitor.press(Key::Down);
    insta::assert_snapshot!(shown(&monitor, 80, 24));
}

#[test]
fn a_narrow_terminal_shows_what_matters() {
    insta::assert_snapshot!(shown(&watched(), 48, 16));
}

#[test]
fn help_lies_over_the_rest() {
    let mut monitor = watched();
    monitor.press(Key::Help);
    insta::assert_snapshot!(shown(&monitor, 80, 24));
}

#[test]
fn a_daemon_that_falls_silent_is_told_of() {
    let mut monitor = watched();
    monitor.miss(example::snapshot(42).taken, "Request timed out".to_owned());
    let screen = shown(&monitor, 80, 24).to_string();
    assert!(
        screen.contains("NO ANSWER since 01:27:37: Request timed out"),
        "{screen}"
    );
    let mut monitor = Monitor::new("ntp.example");
    assert!(
        shown(&monitor, 80, 24)
            .to_string()
            .contains("asking ntp.example")
    );
    monitor.miss(example::snapshot(0).taken, "Request timed out".to_owned());
    assert!(
        shown(&monitor, 80, 24)
            .to_string()
            .contains("ntp.example: Request timed out")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn terminals_of_all_sizes_can_be_drawn_on(width in 0_u16..200, height in 0_u16..60, help: bool) {
        let mut monitor = watched();
        monitor.help = help;
        shown(&monitor, width, height);
        monitor.take(Snapshot { sources: Vec::new(), ..example::snapshot(50) });
        shown(&monitor, width, height);
    }
}
