//! The fleet over time, drawn with characters.

use autoscale_core::words::Span;

use crate::outcome::Size;

/// Rows of the chart, at most.
const ROWS: usize = 14;

/// Eighths of a cell, from nothing to all of it.
const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Distances between the marks on the axis of time, in minutes.
const MARKS: [u64; 16] =
    [1, 5, 10, 30, 60, 120, 180, 360, 720, 1_440, 2_880, 10_080, 20_160, 43_200, 129_600, 259_200];

/// Columns between two marks, at least.
const MARK_WIDTH: u128 = 10;

/// What a cell stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cell {
    Empty,
    /// Ready and needed: so many eighths.
    Used(usize),
    /// Ready and not needed.
    Spare,
    /// Needed and not ready.
    Missing,
}

/// A slice of time: the most of everything in it.
#[derive(Clone, Copy, Default, Debug)]
struct Column {
    need: u32,
    ready: u32,
    missing: u32,
    pending: u32,
}

/// Need and ready nodes from the start of the run to `until`, at most `width` columns wide.
pub(crate) fn render(series: &[Size], until: Span, width: usize, colour: bool) -> String {
    let top = series.iter().map(|size| size.need.max(size.ready)).max().unwrap_or(0).max(1);
    let scale = Scale::of(top);
    let margin = scale.top().to_string().len().max(5);
    let columns = columns(series, until, width.saturating_sub(margin + 3).max(MARK_WIDTH as usize));
    let mut page = format!("{:>margin$}\n", "nodes");
    for row in (0..scale.rows).rev() {
        let label = scale.label(row);
        let tick = if label.is_empty() { '│' } else { '┤' };
        let cells: Vec<Cell> = columns.iter().map(|column| cell(column, row, scale)).collect();
        page += format!("{label:>margin$} {tick}{}", paint(&cells, colour)).trim_end();
        page.push('\n');
    }
    let (line, labels) = axis(until, columns.len());
    page += &format!("{:>margin$} {line}\n{:>margin$} {labels}\n", 0, "");
    page += &format!("{:>margin$}  {}\n", "", legend(colour));
    page + &waiting(&columns, margin)
}

/// How many nodes a row is, or how many rows a node is.
#[derive(Clone, Copy, Debug)]
struct Scale {
    rows: usize,
    rows_per_node: usize,
    nodes_per_row: usize,
}

impl Scale {
    fn of(nodes: u32) -> Self {
        let nodes = usize::try_from(nodes).unwrap_or(usize::MAX).max(1);
        let rows_per_node = (ROWS / nodes).max(1);
        let nodes_per_row = nodes.div_ceil(ROWS);
        Self { rows: nodes.div_ceil(nodes_per_row) * rows_per_node, rows_per_node, nodes_per_row }
    }

    /// Nodes at the upper end of the axis.
    const fn top(self) -> usize {
        self.rows / self.rows_per_node * self.nodes_per_row
    }

    /// The height of so many nodes, in eighths of a row.
    fn height(self, nodes: u32) -> usize {
        usize::try_from(nodes).unwrap_or(usize::MAX).saturating_mul(8 * self.rows_per_node)
            / self.nodes_per_row
    }

    /// The nodes up to the upper end of a row, at every second whole number.
    fn label(self, row: usize) -> String {
        let every = if self.rows_per_node > 1 { self.rows_per_node } else { 1 + usize::from(self.rows > 8) };
        if (row + 1).is_multiple_of(every) {
            ((row + 1) / self.rows_per_node * self.nodes_per_row).to_string()
        } else {
            String::new()
        }
    }
}

/// A value holds until the next; a column without one of its own goes on with the last.
fn columns(series: &[Size], until: Span, count: usize) -> Vec<Column> {
    let mut points = series.iter().peekable();
    let mut last = Column::default();
    let total = until.as_millis().max(1);
    let mut columns = Vec::with_capacity(count);
    for index in 1..=count {
        let end = u128::from(total) * index as u128 / count.max(1) as u128;
        let mut most: Option<Column> = None;
        while let Some(size) = points.next_if(|size| u128::from(size.at.as_millis()) < end) {
            let Size { at: _, need, ready, pending } = *size;
            last = Column { need, ready, missing: need.saturating_sub(ready), pending };
            most = Some(most.map_or(last, |most| Column {
                need: most.need.max(last.need),
                ready: most.ready.max(last.ready),
                missing: most.missing.max(last.missing),
                pending: most.pending.max(last.pending),
            }));
        }
        columns.push(most.unwrap_or(last));
    }
    columns
}

/// What most of the cell stands for.
fn cell(column: &Column, row: usize, scale: Scale) -> Cell {
    let need = scale.height(column.need);
    let used = scale.height(column.need.saturating_sub(column.missing));
    let ready = scale.height(column.ready);
    let within = |from: usize, to: usize| to.min(row * 8 + 8).saturating_sub(from.max(row * 8));
    let (used, missing, spare) = (within(0, used), within(used, need), within(need, ready));
    if used + missing + spare == 0 {
        Cell::Empty
    } else if missing >= used && missing >= spare {
        Cell::Missing
    } else if spare > used {
        Cell::Spare
    } else {
        Cell::Used(used)
    }
}

fn paint(cells: &[Cell], colour: bool) -> String {
    let mut line = String::new();
    for run in cells.chunk_by(|a, b| std::mem::discriminant(a) == std::mem::discriminant(b)) {
        let glyphs: String = run.iter().map(|cell| glyph(*cell)).collect();
        line += &tinted(&glyphs, run.first().copied().unwrap_or(Cell::Empty), colour);
    }
    line
}

fn glyph(cell: Cell) -> char {
    match cell {
        Cell::Empty => ' ',
        Cell::Used(eighths) => EIGHTHS.get(eighths).copied().unwrap_or('█'),
        Cell::Spare => '░',
        Cell::Missing => '×',
    }
}

fn tinted(text: &str, cell: Cell, colour: bool) -> String {
    let code = match cell {
        Cell::Used(_) => "34",
        Cell::Spare => "32",
        Cell::Missing => "1;31",
        Cell::Empty => return text.to_owned(),
    };
    if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

fn legend(colour: bool) -> String {
    let entry = |cell: Cell, word: &str| format!("{} {word}", tinted(&glyph(cell).to_string(), cell, colour));
    [entry(Cell::Used(8), "needed"), entry(Cell::Spare, "spare"), entry(Cell::Missing, "missing")].join("   ")
}

/// The axis of time, and what is written beneath it.
fn axis(until: Span, width: usize) -> (String, String) {
    let (total, columns) = (u128::from(until.as_millis()).max(1), width as u128);
    let column_of = |at: Span| u128::from(at.as_millis()) * columns / total;
    let steps = MARKS.iter().map(|minutes| Span::from_mins(*minutes));
    let step = steps.into_iter().find(|step| column_of(*step) >= MARK_WIDTH).unwrap_or(until);
    let mut line: Vec<char> = std::iter::repeat_n('─', width + 1).collect();
    let mut labels = String::new();
    for index in 0..=width as u64 {
        let at = step.times(index);
        let Ok(column) = usize::try_from(column_of(at)) else { break };
        let Some(mark) = line.get_mut(column) else { break };
        *mark = if index == 0 { '┼' } else { '┬' };
        let label = if index == 0 { "0".to_owned() } else { at.to_string() };
        let gap = column.saturating_sub(labels.len());
        if column + label.len() <= width + 2 {
            labels += &format!("{}{label}", " ".repeat(gap));
        }
    }
    (line.into_iter().collect(), labels)
}

/// The pods that wait for a node, as a line of their own where there are any.
fn waiting(columns: &[Column], margin: usize) -> String {
    let most = columns.iter().map(|column| column.pending).max().unwrap_or(0);
    if most == 0 {
        return String::new();
    }
    let eighths = |pending: u32| (u64::from(pending) * 8).div_ceil(u64::from(most)) as usize;
    let line: String =
        columns.iter().map(|column| EIGHTHS.get(eighths(column.pending)).copied().unwrap_or(' ')).collect();
    format!("{:>margin$}  {}\n", "pods", line.trim_end())
        + &format!("{:>margin$}  pods: that wait for a node, at most {most} at once\n", "")
}

#[cfg(test)]
mod tests;
