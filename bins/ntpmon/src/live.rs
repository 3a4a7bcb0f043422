//! The terminal, and the thread that asks while it is drawn.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::Duration,
};

use ntp_wire::Timestamp;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use crate::{
    arguments::Arguments,
    monitor::{Key, Monitor},
    sampler::{Sampler, wall_clock},
    screen::draw,
    snapshot::Snapshot,
};

/// How long a key or an answer may wait to be seen.
const TICK: Duration = Duration::from_millis(100);

type Sample = Result<Snapshot, (Timestamp, String)>;

/// Signals after which the terminal must be as before.
const ENDINGS: [i32; 4] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];

/// Watches until a key ends it, or a signal, which then does what signals do.
///
/// # Errors
///
/// If the terminal cannot be used.
pub(crate) fn watch(arguments: &Arguments) -> io::Result<()> {
    let ended = Arc::new(AtomicUsize::new(0));
    for signal in ENDINGS {
        let number = usize::try_from(signal).unwrap_or_default();
        signal_hook::flag::register_usize(signal, Arc::clone(&ended), number)?;
    }
    let (to_screen, samples) = mpsc::channel();
    // Its end of this channel closes with the screen, which ends the thread.
    let (screen, closed) = mpsc::channel();
    let sampler = Sampler::new(&arguments.host, arguments.port);
    let pause = Duration::from_secs(arguments.interval.into());
    thread::Builder::new()
        .name("sampler".to_owned())
        .spawn(move || sample(sampler, pause, &to_screen, &closed))?;
    let mut terminal = ratatui::try_init()?;
    let outcome = show(&mut terminal, &arguments.host, &samples, &ended);
    drop(screen);
    ratatui::try_restore()?;
    if let Ok(signal @ 1..) = i32::try_from(ended.load(Ordering::Relaxed)) {
        signal_hook::low_level::emulate_default_handler(signal)?;
    }
    outcome
}

fn sample(
    mut sampler: Sampler,
    pause: Duration,
    to_screen: &Sender<Sample>,
    closed: &Receiver<()>,
) {
    loop {
        let sample = sampler
            .sample()
            .map_err(|error| (wall_clock(), error.to_string()));
        if to_screen.send(sample).is_err() {
            return;
        }
        if closed.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

fn show(
    terminal: &mut ratatui::DefaultTerminal,
    host: &str,
    samples: &Receiver<Sample>,
    ended: &AtomicUsize,
) -> io::Result<()> {
    let mut monitor = Monitor::new(host);
    let mut stale = true;
    while !monitor.done && ended.load(Ordering::Relaxed) == 0 {
        while let Ok(sample) = samples.try_recv() {
            match sample {
                Ok(snapshot) => monitor.take(snapshot),
                Err((at, reason)) => monitor.miss(at, reason),
            }
            stale = true;
        }
        if stale {
            terminal.draw(|frame| draw(frame, &monitor))?;
        }
        stale = event::poll(TICK)?;
        if stale
            && let Event::Key(pressed) = event::read()?
            && pressed.kind == KeyEventKind::Press
            && let Some(key) = key(pressed.code, pressed.modifiers)
        {
            monitor.press(key);
        }
    }
    Ok(())
}

fn key(code: KeyCode, modifiers: KeyModifiers) -> Option<Key> {
    Some(match code {
        KeyCode::Char('c') if modifiers.contains(KeyModifiers::CONTROL) => Key::Quit,
        KeyCode::Char('q') => Key::Quit,
        KeyCode::Char('?' | 'h') => Key::Help,
        KeyCode::Char('k') | KeyCode::Up => Key::Up,
        KeyCode::Char('j') | KeyCode::Down => Key::Down,
        KeyCode::Home => Key::First,
        KeyCode::End => Key::Last,
        KeyCode::Esc => Key::Back,
        _ => return None,
    })
}
