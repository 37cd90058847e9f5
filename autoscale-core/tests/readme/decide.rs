use autoscale_core::data::policy::{Policy, PoolPolicy};
use autoscale_core::data::record::{Fingerprint, Record};
use autoscale_core::data::view::{ClusterView, Listing, Scope, Seen, View};
use autoscale_core::logic::{Tick, due, plan};
use autoscale_core::words::{HolderId, Inc, Span, Timestamp, WriteId};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let web = PoolPolicy::builder("web").with_zones(["a", "b"]).with_shape("m6i.large", 2_000, 8 << 30, 110);
    let policy = Policy::builder("shop").with_pool(web).build()?;
    let now = Timestamp::from_millis(1_772_409_600_000);
    let whose = Fingerprint::of(policy.cluster(), "eu-west-1");
    let record = Record::founding(whose, Inc::new("5eed")?, WriteId::new("write-0")?, now);

    // Everything answered, and there is nothing yet: fewer nodes than `min`.
    let instances = Seen::Known(Listing::new(now, Vec::new()));
    let cluster = Seen::Known(ClusterView::new(now, Scope::Everything));
    let view = View::new(now, instances, cluster, Vec::new());
    let tick = Tick::new(HolderId::new("me")?, WriteId::new("write-1")?, Span::from_mins(7));

    let planned = plan(&policy, &record, &view, &tick, now)?;
    println!("{}", planned.explanation);
    // Store `planned.next` first. Only then is this to be done:
    let effects = due(&policy, &planned.next, &view);
    assert_eq!(effects.len(), 2);
    Ok(())
}
