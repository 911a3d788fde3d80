// SPDX-License-Identifier: MIT OR Apache-2.0
//! A QR code for a terminal: two dots in a character, narrow enough for 80 columns, and read by whatever camera.

use qrcode::{Color, EcLevel, QrCode};
use zeroize::Zeroizing;

/// Dots of white around it, without which no camera finds it.
const MARGIN: usize = 4;
/// No terminal is expected to be wider.
const COLUMNS_MAX: usize = 80;

/// How a code is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    /// Black on white, whatever the terminal's own colours are.
    Coloured,
    /// White dots in the terminal's foreground: for dark terminals. On light ones it is a negative, which most
    /// cameras read as well.
    Plain,
}

/// The lines of a text's code; nothing where it does not fit.
pub(crate) fn lines(text: &str, ink: Ink) -> Option<Vec<Zeroizing<String>>> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let inside = code.width();
    let side = inside.checked_add(MARGIN.checked_mul(2)?)?;
    if side > COLUMNS_MAX {
        return None;
    }
    let is_dark = |x: usize, y: usize| {
        let (x, y) = (x.checked_sub(MARGIN), y.checked_sub(MARGIN));
        let inner = x.zip(y).filter(|(x, y)| *x < inside && *y < inside);
        inner.is_some_and(|at| code[at] == Color::Dark)
    };
    let line = |row: usize| {
        let mut line =
            Zeroizing::new(String::with_capacity(side.saturating_mul(3).saturating_add(32)));
        if ink == Ink::Coloured {
            line.push_str("\u{1b}[30;107m");
        }
        for x in 0..side {
            let (upper, lower) = (is_dark(x, row), is_dark(x, row.saturating_add(1)));
            let (upper, lower) = match ink {
                Ink::Coloured => (upper, lower),
                Ink::Plain => (!upper, !lower && row.saturating_add(1) < side),
            };
            line.push(match (upper, lower) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
        if ink == Ink::Coloured {
            line.push_str("\u{1b}[0m");
        }
        line
    };
    Some((0..side).step_by(2).map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "AURA-PAIR-1 ABCD-EFGH-JKMN-PQRS-TVWX-YZ01-2345";

    /// What a camera sees: dots of four by four, dark ones black.
    fn photographed(lines: &[Zeroizing<String>], ink: Ink) -> Option<String> {
        const DOT: usize = 4;
        let mut rows: Vec<Vec<bool>> = Vec::new();
        for line in lines {
            let (mut upper, mut lower) = (Vec::new(), Vec::new());
            for c in line.chars().filter(|c| matches!(c, '█' | '▀' | '▄' | ' ')) {
                upper.push(matches!(c, '█' | '▀') == (ink == Ink::Coloured));
                lower.push(matches!(c, '█' | '▄') == (ink == Ink::Coloured));
            }
            rows.extend([upper, lower]);
        }
        let width = rows.first()?.len();
        let dot = |x: usize, y: usize| rows[y / DOT][x / DOT];
        let grey = |x, y| if dot(x, y) { 0 } else { 255 };
        let mut image =
            rqrr::PreparedImage::prepare_from_greyscale(width * DOT, rows.len() * DOT, grey);
        let found = image.detect_grids();
        Some(found.first()?.decode().ok()?.1)
    }

    #[test]
    fn what_is_drawn_is_read_again() {
        for ink in [Ink::Coloured, Ink::Plain] {
            let lines = lines(TEXT, ink).unwrap();
            assert_eq!(photographed(&lines, ink).as_deref(), Some(TEXT), "{ink:?}");
        }
    }

    #[test]
    fn it_fits_a_terminal_or_is_not_drawn() {
        let drawn = lines(TEXT, Ink::Plain).unwrap();
        assert!(drawn.iter().all(|line| line.chars().count() <= COLUMNS_MAX) && drawn.len() <= 24);
        assert!(lines(&"long ".repeat(60), Ink::Plain).is_some());
        assert!(lines(&"longer ".repeat(80), Ink::Plain).is_none());
    }
}
