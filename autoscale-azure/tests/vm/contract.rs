//! The shared contract, under several tempers of the service.

use autoscale_azure::fake::{ArmSettings, Shortage};
use autoscale_azure::vm::Image;
use autoscale_core::conformance::{NodeStage, nodes};
use autoscale_core::data::order::Offering;
use autoscale_core::words::Span;

use crate::stage::{Stage, config, id};

#[tokio::test]
async fn the_contract_is_kept() {
    let verdicts = nodes(async || Stage::new(ArmSettings::default(), config())).await;
    verdicts.assert_all();
    assert!(verdicts.not_applicable().is_empty(), "{verdicts}");
}

#[tokio::test]
async fn the_contract_is_kept_where_lists_lag_and_pages_are_short() {
    let settings = || ArmSettings::default().with_list_lag(Span::from_secs(90)).with_page(1);
    nodes(async || Stage::new(settings(), config())).await.assert_all();
}

#[tokio::test]
async fn the_contract_is_kept_in_a_scale_set_and_from_the_marketplace() {
    let image = || Image::Marketplace {
        publisher: "Canonical".to_owned(),
        offer: "ubuntu-24_04-lts".to_owned(),
        sku: "server".to_owned(),
        version: "latest".to_owned(),
    };
    let set = id("workers", "Microsoft.Compute/virtualMachineScaleSets/set");
    let fresh =
        async || Stage::new(ArmSettings::default(), config().with_image(image()).with_scale_set(&set));
    nodes(fresh).await.assert_all();
}

#[tokio::test]
async fn the_contract_is_kept_where_operations_end_at_once_or_never() {
    for (create, delete) in [(Span::ZERO, Span::ZERO), (Span::from_mins(30), Span::from_mins(30))] {
        let settings = ArmSettings::default().with_times(create, delete);
        nodes(async || Stage::new(settings.clone(), config())).await.assert_all();
    }
}

/// A stage whose capacity errors come after the machine was accepted.
struct Late(Stage);

#[async_trait::async_trait]
impl NodeStage for Late {
    fn provider(&self) -> std::sync::Arc<dyn autoscale_core::ports::NodeProvider> {
        self.0.provider()
    }

    fn wares(&self) -> autoscale_core::conformance::Wares {
        self.0.wares()
    }

    /// A machine that fails while it is made was not bought.
    async fn bought(&self, token: &autoscale_core::words::Token) -> Vec<autoscale_core::words::InstanceId> {
        let alive: Vec<String> = self
            .0
            .arm
            .truth()
            .into_iter()
            .filter(|machine| machine.alive)
            .map(|machine| machine.id)
            .collect();
        let all = self.0.bought(token).await;
        all.into_iter().filter(|id| alive.iter().any(|alive| alive == id.as_str())).collect()
    }

    async fn is_alive(&self, instance: &autoscale_core::words::InstanceId) -> bool {
        self.0.is_alive(instance).await
    }

    async fn settle(&self) {
        self.0.settle().await;
    }

    async fn sell_out(&self, offering: &Offering) -> bool {
        let zone = offering.zone.as_str().rsplit('-').next().map(str::to_owned);
        self.0.arm.add_shortage(Shortage::late("ZonalAllocationFailed").of(offering.shape.as_str(), zone));
        true
    }
}

#[tokio::test]
async fn the_contract_is_kept_where_capacity_runs_out_after_the_machine_was_accepted() {
    let settings = ArmSettings::default().with_times(Span::from_secs(1), Span::from_secs(1));
    nodes(async || Late(Stage::new(settings.clone(), config()))).await.assert_all();
}
