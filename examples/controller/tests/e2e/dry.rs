//! A dry run that stays up: it decides again and again, and changes nothing.

use std::sync::Arc;

use autoscale_core::ports::{Clock, RandomIds};
use autoscale_core::words::Span;
use controller::board::Board;
use controller::dry::Dry;
use controller::replica::Replica;
use controller::setup::Setup;
use serde_json::Value;

use crate::common::{NAMESPACE, POLICY, ServerClock, follow, server};
use crate::replica::settings;

#[tokio::test(start_paused = true)]
async fn it_says_the_same_again_and_writes_nothing() {
    let server = server(1);
    let time = follow(&server);
    let clock: Arc<dyn Clock> = Arc::new(ServerClock(server.clone()));
    let settings = settings("dry", POLICY, NAMESPACE);
    let ids = Arc::new(RandomIds::new("dry"));
    let mut setup =
        Setup::new(&settings, (server.client(), "default".to_owned()), clock.clone(), ids).await.unwrap();
    let board = Arc::new(Board::new(clock, 1_000, Span::from_mins(1), true));
    let dry = Dry::wrap(&mut setup.ports, false);
    let mut replica = Replica::new(setup.maker(), setup.policy.clone(), board.clone());
    replica.dry = Some(dry);
    tokio::time::timeout(Span::from_mins(10).into(), replica.run(std::future::pending())).await.unwrap_err();
    time.abort();

    let decisions: Vec<Value> = serde_json::from_str(&board.decisions(usize::MAX)).unwrap();
    assert!(decisions.len() >= 40, "a tick every ten seconds: {}", decisions.len());
    for decision in &decisions {
        assert_eq!(decision["dry_run"], true);
        assert_eq!(decision["ended"], "done", "{decision:#}");
        let launch = &decision["would_send"][0]["order"]["launch"];
        assert_eq!(launch["pool"], "web", "the pool is below its min, at every tick: {decision:#}");
        assert_eq!(decision["rounds"][0]["sent"], serde_json::json!([]), "{decision:#}");
    }
    let log = server.log();
    let wrote: Vec<_> = log.iter().filter(|entry| !matches!(entry.verb.as_str(), "get" | "list")).collect();
    assert!(wrote.is_empty(), "{wrote:?}");
}
