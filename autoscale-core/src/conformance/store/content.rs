//! What is loaded is what was swapped in.

use super::{StoreStage, applied, expect, first, sealed, stored};
use crate::conformance::check::{Ended, able, ensure};
use crate::data::record::MAX_BYTES;
use crate::ports::Expected;

pub(super) async fn nothing_is_stored_at_first(stage: &dyn StoreStage) -> Ended {
    let loaded = stage.store().load().await?;
    ensure!(loaded.is_none(), "loaded {loaded:?} from a new place");
    Ok(())
}

pub(super) async fn load_reports_the_last_applied_swap(stage: &dyn StoreStage) -> Ended {
    let (store, other) = (stage.store(), stage.other());
    let mut version = first(stage).await?;
    expect(&*other, b"one").await?;
    for ver in 2..=5 {
        let bytes = format!("value {ver}");
        let next = sealed(ver, &format!("w-{ver}"), bytes.as_str());
        version = applied(&*store, &Expected::At(version), &next).await?;
        expect(&*other, bytes.as_bytes()).await?;
    }
    Ok(())
}

pub(super) async fn a_loaded_version_can_be_swapped(stage: &dyn StoreStage) -> Ended {
    first(stage).await?;
    let loaded = stored(&*stage.store()).await?;
    applied(&*stage.store(), &Expected::At(loaded.version), &sealed(2, "w-2", "two")).await?;
    Ok(())
}

pub(super) async fn text_comes_back_as_given(stage: &dyn StoreStage) -> Ended {
    let store = stage.store();
    let mut expected = Expected::Absent;
    let texts = [
        "{}",
        " two lines\r\nand more\n\n",
        "\"\\ & <xml> %20 'quoted' \u{1b}[31m\t",
        "\u{feff}grün 🦀 \u{202e}",
    ];
    for (ver, text) in (1..).zip(texts) {
        let version = applied(&*store, &expected, &sealed(ver, &format!("w-{ver}"), text)).await?;
        expect(&*store, text.as_bytes()).await?;
        expected = Expected::At(version);
    }
    Ok(())
}

pub(super) async fn bytes_are_not_looked_into(stage: &dyn StoreStage) -> Ended {
    able(stage.binary(), "the store takes text only")?;
    let bytes: Vec<u8> = (0..=255).rev().collect();
    applied(&*stage.store(), &Expected::Absent, &sealed(1, "w-1", bytes.as_slice())).await?;
    expect(&*stage.store(), &bytes).await
}

pub(super) async fn a_full_record_fits(stage: &dyn StoreStage) -> Ended {
    let digits = (0..MAX_BYTES).map(|at| b'0' + (at % 7) as u8);
    let bytes: Vec<u8> = digits.collect();
    applied(&*stage.store(), &Expected::Absent, &sealed(1, "w-1", bytes.as_slice())).await?;
    expect(&*stage.store(), &bytes).await
}
