//! Looking at machines.

use autoscale_core::data::view::Listing;
use autoscale_core::ports::{Error, Result};
use autoscale_core::words::Timestamp;

use super::provider::Ec2Nodes;
use super::request::{self, Which};
use super::response::{self, Row};
use crate::watch::Watch;

/// No list is longer, in pages of a thousand.
const MOST_PAGES: usize = 100;

/// What a list gave: everything, or what there was before it broke off.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) rows: Vec<Row>,
    pub(super) complete: bool,
    /// EC2's clock at the first answer.
    pub(super) at: Option<Timestamp>,
}

impl Ec2Nodes {
    /// All pages of one list.
    ///
    /// # Errors
    /// Why the first page could not be read; a later one that cannot leaves the list incomplete.
    pub(super) async fn rows(&self, which: &Which) -> Result<Rows, crate::failure::Failure> {
        let (mut rows, mut next) = (Rows::default(), None);
        for number in 0..MOST_PAGES {
            let watch = Watch::new();
            let page = self.api.list(which, next.take(), &watch).await;
            self.ahead.learn(&watch, self.clock.now());
            match page {
                Err(failure) if number == 0 => return Err(failure),
                Err(_) => return Ok(rows),
                Ok(page) => {
                    rows.at = rows.at.or_else(|| watch.date());
                    rows.rows.extend(page.rows);
                    next = page.next;
                }
            }
            if next.is_none() {
                rows.complete = true;
                return Ok(rows);
            }
        }
        Ok(rows)
    }

    pub(super) async fn listing(&self) -> Result<Listing, Error> {
        let mut listing = Listing::new(self.clock.now(), Vec::new());
        let mut at: Option<Timestamp> = None;
        for which in request::lists(&self.config) {
            let found = self.rows(&which).await.map_err(|failure| {
                failure.looking("list the cluster's instances", "ec2:DescribeInstances")
            })?;
            listing.complete &= found.complete;
            // What was launched since the first answer may be missing.
            at = [at, found.at].into_iter().flatten().min();
            for row in found.rows {
                match response::instance(&self.config, &row) {
                    Some(instance) => {
                        // Both lists have what carries all tags.
                        if !listing.instances.iter().any(|known| known.id == instance.id) {
                            listing.instances.push(instance);
                        }
                    }
                    // Something is there, and nobody knows what.
                    None => listing.complete = false,
                }
            }
        }
        listing.at = at.unwrap_or(listing.at);
        Ok(listing)
    }
}
