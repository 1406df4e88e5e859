//! Tables that fit the terminal.

use comfy_table::Cell;
use comfy_table::Color;
use comfy_table::ContentArrangement;
use comfy_table::Table;
use comfy_table::presets::NOTHING;

use super::Printer;
use super::printer::Tone;

/// A column, and from which width of the terminal on it is worth its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    title: &'static str,
    from_width: usize,
}

/// A column that is always shown.
pub(super) const fn always(title: &'static str) -> Column {
    Column { title, from_width: 0 }
}

/// A column that a narrow terminal goes without.
pub(super) const fn from(from_width: usize, title: &'static str) -> Column {
    Column { title, from_width }
}

/// One table. Cells wrap rather than be cut; nothing is wider than the terminal.
pub(super) struct Grid {
    table: Table,
    shown: Vec<bool>,
    color: bool,
}

/// A cell: its text, and what that means.
pub(super) struct Text(pub(super) String, pub(super) Option<Tone>);

impl<T: Into<String>> From<T> for Text {
    fn from(text: T) -> Self {
        Self(text.into(), None)
    }
}

impl Grid {
    pub(super) fn new(printer: &Printer, columns: &[Column]) -> Self {
        let width = printer.width();
        let shown: Vec<bool> = columns.iter().map(|c| c.from_width <= width).collect();
        let mut table = Table::new();
        table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
        if printer.color() {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        let titles = columns.iter().zip(&shown).filter(|(_, shown)| **shown);
        let titles =
            titles.map(|(c, _)| cell(&Text(c.title.to_owned(), Some(Tone::Strong)), printer.color()));
        table.set_header(titles.collect::<Vec<_>>());
        Self { table, shown, color: printer.color() }
    }

    pub(super) fn row<const N: usize>(&mut self, cells: [Text; N]) {
        let shown = cells.iter().zip(&self.shown).filter(|(_, shown)| **shown);
        let row: Vec<Cell> = shown.map(|(text, _)| cell(text, self.color)).collect();
        self.table.add_row(row);
    }

    /// The lines, without blanks at their ends.
    pub(super) fn render(mut self) -> String {
        for column in self.table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        if self.color { self.table.to_string() } else { self.table.trim_fmt() }
    }
}

fn cell(text: &Text, color: bool) -> Cell {
    let cell = Cell::new(&text.0);
    match text.1.filter(|_| color) {
        Some(Tone::Good) => cell.fg(Color::Green),
        Some(Tone::Warn) => cell.fg(Color::Yellow),
        Some(Tone::Bad) => cell.fg(Color::Red),
        Some(Tone::Dim) => cell.add_attribute(comfy_table::Attribute::Dim),
        Some(Tone::Strong) => cell.add_attribute(comfy_table::Attribute::Bold),
        None => cell,
    }
}
