use super::*;

#[test]
fn names_are_short_where_they_differ() {
    let paths = ["a/one.yaml", "b/two.toml", "default"].map(PathBuf::from);
    assert_eq!(names(&paths), ["one", "two", "default"]);
    let paths = ["a/one.yaml", "b/one.yaml"].map(PathBuf::from);
    assert_eq!(names(&paths), ["a/one.yaml", "b/one.yaml"]);
}
