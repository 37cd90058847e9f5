//! Where the parts of a policy stand in its text.

/// Where one value stands, as byte offsets, and its parts in the order of the tree.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Mark {
    /// The key of the value, or the value itself where it has none.
    pub(super) key: usize,
    pub(super) value: usize,
    pub(super) parts: Vec<Mark>,
}

impl Mark {
    /// A value without a key and, so far, without parts.
    pub(super) const fn at(offset: usize) -> Self {
        Self { key: offset, value: offset, parts: Vec::new() }
    }

    /// The same value under a key.
    pub(super) fn under(self, key: usize) -> Self {
        Self { key, ..self }
    }
}

/// A text and where its parts stand.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) text: &'a str,
    pub(super) mark: &'a Mark,
}

/// The line and the column of an offset, in characters, both from 1.
pub(super) fn place(text: &str, offset: usize) -> (u32, u32) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.rfind('\n').map_or(before, |end| before.get(end + 1..).unwrap_or_default());
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).saturating_add(1);
    (count(before.matches('\n').count()), count(line.chars().count()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one() {
        for (text, offset, expected) in [
            ("", 0, (1, 1)),
            ("ab", 1, (1, 2)),
            ("ab\n", 3, (2, 1)),
            ("ü x\nü y", 8, (2, 3)),
            ("a\r\nb", 3, (2, 1)),
            ("a", 9, (1, 2)),
            ("ü", 1, (1, 2)),
        ] {
            assert_eq!(place(text, offset), expected, "{text:?} {offset}");
        }
    }
}
