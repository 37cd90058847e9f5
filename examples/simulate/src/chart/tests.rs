use super::*;

const fn size(mins: u64, need: u32, ready: u32, pending: u32) -> Size {
    Size { at: Span::from_mins(mins), need, ready, pending }
}

const HOUR: Span = Span::from_mins(60);

#[test]
fn tells_a_story() {
    let series = [size(0, 2, 3, 0), size(20, 4, 3, 6), size(30, 4, 5, 0), size(50, 2, 3, 0)];
    let page = render(&series, HOUR, 38, false);
    println!("{page}");
    let expected = "nodes
    5 ┤               ░░░░░░░░░░
      │               ░░░░░░░░░░
    4 ┤          ×××××██████████
      │          ×××××██████████
    3 ┤░░░░░░░░░░███████████████░░░░░
      │░░░░░░░░░░███████████████░░░░░
    2 ┤██████████████████████████████
      │██████████████████████████████
    1 ┤██████████████████████████████
      │██████████████████████████████
    0 ┼──────────────┬──────────────┬
      0              30m            1h
       █ needed   ░ spare   × missing
 pods            █████
       pods: that wait for a node, at most 6 at once
";
    assert_eq!(page, expected);
}

#[test]
fn a_large_fleet_has_several_nodes_in_a_row() {
    let page = render(&[size(0, 100, 130, 0)], HOUR, 30, false);
    println!("{page}");
    let rows: Vec<_> = page.lines().collect();
    assert_eq!(rows[1], "      │░░░░░░░░░░░░░░░░░░░░░░");
    assert_eq!(rows[2], "  120 ┤░░░░░░░░░░░░░░░░░░░░░░");
    assert_eq!(rows[4], "  100 ┤██████████████████████");
    assert_eq!(rows.iter().filter(|row| row.contains(['┤', '│'])).count(), 13);
}

#[test]
fn part_of_a_row_is_part_of_a_cell() {
    let page = render(&[size(0, 18, 18, 0), size(30, 28, 28, 0)], HOUR, 30, false);
    assert!(page.lines().any(|row| row.contains("███████████")));
    let odd = render(&[size(0, 17, 17, 0), size(30, 28, 28, 0)], HOUR, 30, false);
    assert!(odd.contains("▄▄▄▄▄▄▄▄▄▄▄███████████"), "{odd}");
    let spare = render(&[size(0, 27, 28, 0)], HOUR, 30, false);
    assert!(
        spare.lines().nth(1).is_some_and(|row| row.ends_with("▄▄▄")),
        "the need is never overdrawn\n{spare}"
    );
}

#[test]
fn nothing_hides_between_two_columns() {
    let mut series: Vec<_> = (0..10_080).map(|minute| size(minute, 3, 4, 0)).collect();
    series[5_000] = size(5_000, 9, 4, 20);
    let page = render(&series, Span::from_mins(10_080), 100, false);
    assert_eq!(page.matches('×').count(), 5 + 1, "five nodes for one column, and the legend\n{page}");
    assert!(page.contains("at most 20 at once"));
}

#[test]
fn the_axis_says_days_or_hours() {
    for (until, width, labels) in [
        ("7d", 70, "0         1d        2d        3d        4d        5d        6d        7d"),
        ("12h", 40, "0         3h        6h        9h"),
        ("1m", 40, "0                                       1m"),
        ("366d", 40, "0                  180d"),
    ] {
        let (line, found) = axis(until.parse().unwrap(), width);
        assert_eq!(line.chars().count(), width + 1, "{until}");
        println!("{line}\n{found}");
        assert_eq!(found, labels, "{until}");
    }
}

#[test]
fn colour_only_when_asked_for() {
    let series = [size(0, 2, 1, 1), size(30, 1, 2, 0)];
    let (plain, tinted) = (render(&series, HOUR, 60, false), render(&series, HOUR, 60, true));
    assert!(!plain.contains('\x1b'));
    let mut stripped = tinted.clone();
    for code in ["\x1b[34m", "\x1b[32m", "\x1b[1;31m", "\x1b[0m"] {
        assert!(stripped.contains(code), "{code:?}");
        stripped = stripped.replace(code, "");
    }
    assert_eq!(stripped, plain);
}

#[test]
fn nothing_at_all_and_far_too_much_are_drawn() {
    for (series, until, width) in [
        (vec![], Span::ZERO, 0),
        (vec![size(0, 0, 0, 0)], HOUR, 40),
        (vec![size(0, u32::MAX, 0, u32::MAX)], Span::from_millis(u64::MAX), 300),
        (vec![size(600, 1, 1, 0)], HOUR, 40),
    ] {
        assert!(render(&series, until, width, false).contains("█ needed"));
    }
}
