//! The screen as a picture, for documents and tickets.

use std::fmt::Write;

use ratatui::{
    buffer::{Buffer, Cell},
    style::{Color, Modifier},
};

/// Width and height of a character, in pixels.
const CELL: (u16, u16) = (9, 19);
/// Around the screen.
const MARGIN: u16 = 12;
const BACKGROUND: &str = "#1b1f24";
const FOREGROUND: &str = "#d7dce2";

/// The buffer as an SVG document.
pub(crate) fn svg(buffer: &Buffer) -> String {
    let area = buffer.area;
    let (width, height) = (
        area.width * CELL.0 + 2 * MARGIN,
        area.height * CELL.1 + 2 * MARGIN,
    );
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" font-family=\"'DejaVu Sans Mono', Menlo, Consolas, \
         monospace\" font-size=\"15\" fill=\"{FOREGROUND}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n"
    );
    for row in 0..area.height {
        let mut column = 0;
        while column < area.width {
            let Some(first) = buffer.cell((column, row)) else {
                break;
            };
            let run = (column..area.width)
                .filter_map(|column| buffer.cell((column, row)))
                .take_while(|cell| has_style_of(cell, first));
            let run: Vec<&Cell> = run.collect();
            let length = u16::try_from(run.len()).unwrap_or(u16::MAX).max(1);
            let words: String = run.iter().map(|cell| cell.symbol()).collect();
            draw(&mut text, (column, row), length, &words, first);
            column += length;
        }
    }
    text.push_str("</svg>\n");
    text
}

fn has_style_of(cell: &Cell, other: &Cell) -> bool {
    cell.fg == other.fg && cell.modifier == other.modifier
}

/// Characters of one style, from `at` on.
fn draw(text: &mut String, at: (u16, u16), length: u16, words: &str, style: &Cell) {
    let (x, y) = (MARGIN + at.0 * CELL.0, MARGIN + at.1 * CELL.1);
    let width = length * CELL.0;
    let is_reversed = style.modifier.contains(Modifier::REVERSED);
    let colour = colour(style.fg);
    if is_reversed {
        // A string takes what is written.
        let _ = writeln!(
            text,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{}\" fill=\"{colour}\"/>",
            CELL.1
        );
    }
    if words.trim().is_empty() {
        return;
    }
    let fill = if is_reversed { BACKGROUND } else { colour };
    let weight = match style.modifier.contains(Modifier::BOLD) {
        true => " font-weight=\"bold\"",
        false => "",
    };
    let opacity = match style.modifier.contains(Modifier::DIM) {
        true => " opacity=\"0.6\"",
        false => "",
    };
    let baseline = y + CELL.1 * 3 / 4;
    let _ = writeln!(
        text,
        "<text x=\"{x}\" y=\"{baseline}\" textLength=\"{width}\" \
         lengthAdjust=\"spacingAndGlyphs\" fill=\"{fill}\"{weight}{opacity}>{}</text>",
        escaped(words)
    );
}

const fn colour(colour: Color) -> &'static str {
    match colour {
        Color::Green => "#5fd38a",
        Color::Yellow => "#e6c35c",
        Color::Red => "#f2777a",
        _ => FOREGROUND,
    }
}

fn escaped(words: &str) -> String {
    words
        // Others are run together.
        .replace(' ', "\u{a0}")
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use ratatui::{Terminal, backend::TestBackend};

    use super::*;
    use crate::{example::snapshot, monitor::Monitor, screen::draw};

    fn picture(host: &str) -> String {
        let mut terminal = Terminal::new(TestBackend::new(100, 24)).unwrap();
        let mut monitor = Monitor::new(host);
        for step in 0..10 {
            monitor.take(snapshot(step));
        }
        terminal.draw(|frame| draw(frame, &monitor)).unwrap();
        svg(terminal.backend().buffer())
    }

    #[test]
    fn all_that_is_on_the_screen_is_in_the_picture() {
        let text = picture("ntp.example");
        let text = text.replace('\u{a0}', " ");
        for part in [
            "ntp.example",
            "synchronised to 192.0.2.1, stratum 2",
            "2001:db8::3",
            "#f2777a",
            "#5fd38a",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert_eq!(
            text.matches("<text ").count(),
            text.matches("</text>").count()
        );
        assert!(text.ends_with("</svg>\n"));
    }

    #[test]
    fn what_a_daemon_says_is_no_markup() {
        let text = picture("<script>&\"");
        assert!(text.contains("&lt;script&gt;&amp;\""), "{text}");
        assert!(!text.contains("<script"));
    }
}
