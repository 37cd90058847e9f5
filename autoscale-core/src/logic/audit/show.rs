//! An answer as people read it.

use std::fmt::{self, Display, Formatter};

use super::answer::{Answer, PoolAnswer, Standing, Wait};
use super::node::NodeAnswer;
use crate::data::order::{self, Blocker, Cordoned, EvictPass, Order, Refusal};

impl Display for Answer {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            at,
            time,
            cluster,
            policy,
            holder,
            entry,
            ended,
            undecided,
            standing,
            actions,
            pools,
            operations,
            sent,
            node,
            alarms,
            next,
        } = self;
        writeln!(f, "{time}  cluster {cluster}, policy {policy}, decided by {holder} ({entry})")?;
        if let Some(undecided) = undecided {
            writeln!(f, "  newer, and without a decision: {undecided}")?;
        }
        ended.iter().try_for_each(|ended| writeln!(f, "  how the tick ended: {ended}"))?;
        let Standing { since, entries } = standing;
        if *entries > 1 {
            let span = at.since(*since).rounded();
            writeln!(f, "  the same verdict since {since}, for {span}, in {entries} entries")?;
        }
        match actions.as_slice() {
            [] => writeln!(f, "  nothing was decided to be done")?,
            actions => actions.iter().try_for_each(|action| writeln!(f, "  it decided to {action}"))?,
        }
        pools.iter().try_for_each(|pool| write!(f, "{pool}"))?;
        if let Some(node) = node {
            write!(f, "{node}")?;
        }
        operations.iter().try_for_each(|op| writeln!(f, "  {op}"))?;
        sent.iter().try_for_each(|sent| writeln!(f, "  sent for {sent}"))?;
        alarms.iter().try_for_each(|alarm| writeln!(f, "  alarm: {alarm}"))?;
        next.iter().try_for_each(|next| writeln!(f, "  the next tick was due by {next}"))
    }
}

impl Display for PoolAnswer {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { pool, verdict, counts, rules, waits, refused } = self;
        writeln!(f, "  pool {pool}: {verdict}")?;
        writeln!(f, "    {counts}")?;
        rules.iter().try_for_each(|rule| writeln!(f, "    {rule}"))?;
        for Wait { what, until } in waits {
            writeln!(f, "    waits until {until}: {what}")?;
        }
        match refused.is_empty() {
            true => Ok(()),
            false => writeln!(f, "    nodes held back by: {}", refused.join(", ")),
        }
    }
}

impl Display for NodeAnswer {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { node, instance, pool, state, operation, may_go, held, judged_at } = self;
        let name = node.as_ref().or(instance.as_ref()).map_or("?", String::as_str);
        write!(f, "  node {name}")?;
        instance.iter().filter(|id| *id != name).try_for_each(|id| write!(f, " ({id})"))?;
        pool.iter().try_for_each(|pool| write!(f, " of pool {pool}"))?;
        writeln!(f, ": {}", state.join(", "))?;
        let judged = judged_at.map(|at| format!(" (every pod was seen at {at})")).unwrap_or_default();
        match may_go {
            Some(true) => writeln!(f, "    it may go{judged}")?,
            Some(false) => writeln!(f, "    it stays{judged}:")?,
            None => {
                writeln!(f, "    whether its pods would find room elsewhere was not looked at until then")?
            }
        }
        held.iter().try_for_each(|held| writeln!(f, "    - {held}"))?;
        operation.iter().try_for_each(|op| writeln!(f, "    {op}"))
    }
}

pub(super) fn order(order: &Order) -> String {
    match order {
        Order::Launch(order) => format!("launch {} with token {}", order.offering, order.token),
        Order::Terminate(order) => format!("terminate {}", order.instance),
        Order::Cordon(order) => format!("cordon {}", order.node),
        Order::Uncordon(order) => format!("uncordon {}", order.node),
        Order::Evict(order) => format!("evict {} pods from {}", order.pods.len(), order.node),
        Order::Forget(order) => format!("delete the Node object {}", order.node),
    }
}

pub(super) fn answer(answer: &order::Answer) -> String {
    use order::Answer::{
        Cordoned as Node, Evicted, Forgotten, Launched, NotSent, Refused, Terminating, Unclear,
    };
    match answer {
        Launched(launched) => format!("instance {}", launched.instance),
        Terminating => "it ends".to_owned(),
        Node(Cordoned::Done) => "done".to_owned(),
        Node(Cordoned::Superseded) => "a later version has changed the node".to_owned(),
        Node(Cordoned::Gone) => "there is no such node any more".to_owned(),
        Evicted(pass) => evicted(pass),
        Forgotten => "gone".to_owned(),
        Refused(refusal) => format!("refused, {}", refused(refusal)),
        NotSent { why } => format!("not sent, {why}"),
        Unclear { why } => format!("unclear whether it was done, {why}"),
    }
}

fn evicted(EvictPass { accepted, gone, blocked }: &EvictPass) -> String {
    let mut text = format!("{} on their way, {} gone", accepted.len(), gone.len());
    for (pod, blocker) in blocked.iter().take(5) {
        text.push_str(&match blocker {
            Blocker::Budget { name: Some(name) } => format!("; {pod} is held by budget {name}"),
            Blocker::Budget { name: None } => format!("; {pod} is held by a budget"),
            Blocker::Throttled => format!("; {pod}: asked to slow down"),
            Blocker::Other { why } => format!("; {pod}: {why}"),
        });
    }
    text
}

fn refused(refusal: &Refusal) -> String {
    match refusal {
        Refusal::NoCapacity { why } => format!("no capacity: {why}"),
        Refusal::Throttled => "asked too often".to_owned(),
        Refusal::Denied { action } => format!("denied: {action}"),
        Refusal::Invalid { why } => format!("invalid: {why}"),
        Refusal::TokenSpent => "the token's instance is gone".to_owned(),
        Refusal::TokenMismatch => "the token was used with other parameters".to_owned(),
    }
}
