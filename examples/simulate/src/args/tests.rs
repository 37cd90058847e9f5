use super::*;
use clap::CommandFactory;

fn job(line: &str) -> Job {
    Args::try_parse_from(line.split_whitespace()).unwrap().into_job().unwrap()
}

#[test]
fn the_command_is_sound() {
    Args::command().debug_assert();
}

#[test]
fn nothing_said_is_the_shop_for_a_week() {
    let job = job("simulate");
    assert_eq!(job.config.scenario, Scenario::Shop);
    assert_eq!((job.config.seed, job.config.faults), (1, Faults::None));
    assert_eq!(job.config.until.to_string(), "7d");
    assert!(job.config.load.is_none() && !job.json);
}

#[test]
fn the_command_that_repeats_says_the_same() {
    for line in [
        "simulate --scenario flash-sale --seed 18446744073709551615 --faults mild --until 1h30m",
        "simulate --scenario steady --seed 0 --faults none --until 366d",
        "simulate --scenario spot-storm --seed 2 --faults hostile --ticks 5000 --scale 10",
    ] {
        let repeat = job(line).to_string();
        assert_eq!(repeat, line.replace("simulate", "cargo run --release -p simulate --"));
    }
    for (_, level) in LEVELS {
        let mut job = job("simulate");
        job.config.faults = level;
        assert_ne!(job.level(), "?");
    }
}

#[test]
fn paths_are_quoted_for_a_shell() {
    for (path, shown) in [("a/b_1.csv", "a/b_1.csv"), ("a b", "'a b'"), ("it's", r"'it'\''s'"), ("", "''")] {
        assert_eq!(quoted(Path::new(path)), shown);
    }
}

#[test]
fn refuses() {
    for (line, reason) in [
        ("simulate --scenario shopp", "shop"),
        ("simulate --faults wild", "none, mild, hostile"),
        ("simulate --until 10", "length of time with a unit"),
        ("simulate --until 0s", "more than nothing"),
        ("simulate --until 367d", "at most 366d"),
        ("simulate --seed=-1", "--seed"),
        ("simulate --peak-nodes 5", "--trace"),
        ("simulate --trace a.csv --peak-nodes 0", "1..=1000"),
        ("simulate --trace a.csv --scenario shop", "cannot be used with"),
        ("simulate --pods a.csv", "--shapes"),
        ("simulate --shapes a.csv", "--pods"),
        ("simulate --pods a.csv --shapes b.csv --policy c.yaml", "cannot be used with"),
        ("simulate --compare a.yaml --policy c.yaml", "cannot be used with"),
        ("simulate --seeds 2", "--compare"),
        ("simulate --compare a.yaml --seeds 0", "1..=1000"),
        ("simulate --compare", "a value is required"),
        ("simulate --pods a.csv --shapes b.csv --trace c.csv", "cannot be used with"),
        ("simulate --pods a.csv --shapes b.csv --scale 2", "cannot be used with"),
    ] {
        let error = Args::try_parse_from(line.split_whitespace()).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{line}");
        assert!(error.to_string().contains(reason), "{line}: {error}");
    }
}
