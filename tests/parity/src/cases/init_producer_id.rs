//! InitProducerId.

use ottla_core::wire::{ApiKey, messages::init_producer_id::InitProducerIdRequest};

use super::Cases;
use crate::case::{A, Case};

pub(super) fn cases(cases: &mut Cases) {
    idempotent(cases);
    transactional(cases);
}

fn idempotent(cases: &mut Cases) {
    cases.each(ApiKey::InitProducerId.versions(), "plain", |c, v| {
        for _ in 0..2 {
            c.ask(v, InitProducerIdRequest::default())?;
        }
        Ok(())
    });
    for (what, timeout) in [("0", 0), ("negative", -1), ("greatest", i32::MAX)] {
        cases.case(&format!("timeout-{what}"), move |c| {
            c.ask(
                4,
                InitProducerIdRequest { transaction_timeout_ms: timeout, ..Default::default() },
            )?;
            Ok(())
        });
    }
    for (what, producer_id, producer_epoch) in [
        ("both", 4_000_000_000, 3),
        ("id-alone", 4_000_000_000, -1),
        ("epoch-alone", -1, 3),
        ("negative", -2, -2),
    ] {
        cases.each(3..=5, &format!("given-{what}"), move |c, v| {
            c.outcome(
                A,
                v,
                InitProducerIdRequest { producer_id, producer_epoch, ..Default::default() },
            )?;
            Ok(())
        });
    }
}

fn with_id(c: &Case, timeout: i32) -> InitProducerIdRequest {
    InitProducerIdRequest {
        transactional_id: Some(c.name("x")),
        transaction_timeout_ms: timeout,
        ..Default::default()
    }
}

fn transactional(cases: &mut Cases) {
    cases.each(ApiKey::InitProducerId.versions(), "transactional", |c, v| {
        let request = with_id(c, 60_000);
        for _ in 0..2 {
            c.ask(v, request.clone())?;
        }
        Ok(())
    });
    for version in [0, 5] {
        cases.each(version..=version, "transactional-empty-id", |c, v| {
            let transactional_id = Some(String::new());
            c.ask(v, InitProducerIdRequest { transactional_id, ..with_id(c, 60_000) })?;
            Ok(())
        });
        for (what, timeout) in [("0", 0), ("negative", -1), ("too-large", 900_001)] {
            cases.each(version..=version, &format!("transactional-timeout-{what}"), move |c, v| {
                let request = with_id(c, timeout);
                c.ask(v, request)?;
                Ok(())
            });
        }
    }
    cases.each(3..=5, "transactional-given", |c, v| {
        let request = with_id(c, 60_000);
        let given = c.ask(v, request.clone())?;
        let with = |producer_id: i64, producer_epoch: i16| InitProducerIdRequest {
            producer_id,
            producer_epoch,
            ..request.clone()
        };
        c.note("the current epoch, then the one before, then another id");
        for (id, epoch) in [
            (given.producer_id, given.producer_epoch),
            (given.producer_id, given.producer_epoch),
            (given.producer_id, 99),
            (given.producer_id + 1_000_000, 0),
            (given.producer_id, -1),
        ] {
            c.ask(v, with(id, epoch))?;
        }
        Ok(())
    });
}
