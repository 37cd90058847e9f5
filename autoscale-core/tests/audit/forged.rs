//! Entries whose sums are right and whose content nobody has seen: decoded or refused, decided or not, and never a panic.

use std::sync::{Arc, OnceLock};

use autoscale_core::data::audit::{Decided, Entry, Head};
use autoscale_core::driver::Auditor;
use autoscale_core::logic::{Explainer, Question, replay};
use autoscale_core::memory::{AuditMemory, block_on};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::common::{World, all, name, read};

/// Entries in which something was done.
fn entries() -> &'static [(Head, Entry<'static>)] {
    static ENTRIES: OnceLock<Vec<(Head, Entry<'static>)>> = OnceLock::new();
    ENTRIES.get_or_init(|| {
        let (mut world, log) = (World::new(), Arc::new(AuditMemory::new()));
        let mut auditor = Auditor::new(log.clone(), name("a"));
        for _ in 0..120 {
            let _ = block_on(auditor.record(&world.tick())).unwrap();
        }
        let mut entries = all(&read(&*log)).unwrap();
        entries.retain(|(_, entry)| entry.is_act());
        entries
    })
}

/// All values of a value, one after the other.
fn leaves(value: &mut Value, change: &mut impl FnMut(&mut Value)) {
    change(value);
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| leaves(item, change)),
        Value::Object(members) => members.values_mut().for_each(|item| leaves(item, change)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn nothing_forged_panics(
        which in any::<prop::sample::Index>(), places in prop::collection::vec((any::<prop::sample::Index>(), 0..12_u8), 1..4),
    ) {
        let (head, entry) = which.get(entries());
        let mut round = serde_json::to_value(&entry.rounds[0]).unwrap();
        for (place, to) in places {
            let (mut count, mut index) = (0, 0);
            leaves(&mut round, &mut |_| count += 1);
            let place = place.index(count);
            leaves(&mut round, &mut |value| {
                if index == place {
                    *value = match (to, &*value) {
                        (0, _) => json!(0),
                        (1, Value::Number(_)) => u64::MAX.into(),
                        (2, Value::Number(_)) => i64::MAX.into(),
                        (3, Value::Number(_)) => i64::MIN.into(),
                        (4, Value::Number(_)) => u32::MAX.into(),
                        (5, Value::Number(number)) => number.as_i64().unwrap_or(0).wrapping_add(1).into(),
                        (6, Value::String(_)) => "18446744073709551615ms".into(),
                        (7, Value::Array(_)) => json!([]),
                        (8, Value::Bool(it)) => (!it).into(),
                        (9, Value::Object(members)) => members.clone().into_iter().skip(1).collect(),
                        (10, Value::Array(items)) => items.iter().chain(items).cloned().collect(),
                        _ => Value::Null,
                    };
                }
                index += 1;
            });
        }
        let Ok(decided) = serde_json::from_value::<Decided<'static>>(round) else { return Ok(()) };
        let nodes = decided.view.cluster().known().map(|cluster| cluster.nodes()).unwrap_or_default();
        let node = nodes.first().map(|node| node.name.to_string());
        let mut forged = entry.clone();
        forged.rounds = vec![decided];
        let _ = replay(&forged);
        let mut question = Question::default();
        question.node = node;
        let mut explainer = Explainer::new(question);
        explainer.see(head.clone(), forged);
        let _ = explainer.answer().map(|answer| answer.to_string());
    }
}
