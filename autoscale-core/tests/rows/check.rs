//! Plays a row and compares.

use std::collections::BTreeMap;

use autoscale_core::words::Span;

use super::read::{Row, Scene, Step};
use super::seen::{Expect, seen};
use super::world::World;

/// How often the same has been looked at before a row begins.
const INTERVAL: Span = Span::from_secs(120);

/// Everything in which a row differs from what it says.
pub(crate) fn row(row: &Row) -> Vec<String> {
    let cases = row.cases.iter();
    cases
        .flat_map(|(case, scene)| {
            let title = format!("{}{}{case}", row.id, if case.is_empty() { "" } else { ", " });
            play(scene).into_iter().map(move |wrong| format!("row {title}: {}\n{wrong}", row.what))
        })
        .collect()
}

fn play(scene: &Scene) -> Option<String> {
    let mut world = World::new(scene);
    let mut waited = Span::ZERO;
    while waited < scene.seen_for {
        drop(world.tick());
        let step = INTERVAL.min(scene.seen_for.minus(waited));
        world.wait(step);
        waited = waited.plus(step);
    }
    if let Some(expect) = &scene.expect {
        assert!(scene.steps.is_empty(), "a row with steps expects in its steps");
        let step = Step { expect: expect.clone(), ..Step::default() };
        return compare(&mut world, &step);
    }
    assert!(!scene.steps.is_empty(), "a row without steps expects something");
    scene.steps.iter().zip(1..).find_map(|(step, number): (_, u32)| {
        compare(&mut world, step).map(|wrong| format!("in step {number}\n{wrong}"))
    })
}

fn compare(world: &mut World, step: &Step) -> Option<String> {
    let answers = world.step(step);
    let found = seen(&step.expect, world, &answers);
    let differences: Vec<String> = fields(&step.expect)
        .into_iter()
        .zip(fields(&found).into_values())
        .filter(|((_, expected), seen)| expected != seen)
        .map(|((field, expected), seen)| format!("  {field}\n    expected {expected}\n    seen     {seen}"))
        .collect();
    if differences.is_empty() {
        return None;
    }
    let explanation = answers.planned.explanation.to_string();
    let explanation = explanation.lines().map(|line| format!("    | {line}")).collect::<Vec<_>>().join("\n");
    Some(format!("{}\n{explanation}", differences.join("\n")))
}

/// Each field by name, as text.
fn fields(expect: &Expect) -> BTreeMap<&'static str, String> {
    let Expect {
        verdict,
        launches,
        zones,
        removes,
        removable,
        held,
        needs,
        fit_nowhere,
        targets,
        deadlines,
        operations,
        orders,
        backed_off,
        says,
    } = expect;
    BTreeMap::from([
        ("verdict", format!("{verdict:?}")),
        ("launches", format!("{launches:?}")),
        ("zones", format!("{zones:?}")),
        ("removes", format!("{removes:?}")),
        ("removable", format!("{removable:?}")),
        ("held", format!("{held:?}")),
        ("needs", format!("{needs:?}")),
        ("fit_nowhere", format!("{fit_nowhere:?}")),
        ("targets", format!("{targets:?}")),
        ("deadlines", format!("{deadlines:?}")),
        ("operations", format!("{operations:?}")),
        ("orders", format!("{orders:?}")),
        ("backed_off", format!("{backed_off:?}")),
        ("says", format!("{says:?}")),
    ])
}
