//! The ordinary way: first deliveries, repeated ones, canaries, targets that refuse doubles.

use super::bench::{Bench, document, some};
use super::erp::{Answer, Erp};
use crate::base::lifecycle::State;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_target_that_refuses_doubles_is_never_waited_for() {
    let erp = Erp { refuses_doubles: true, keeps_digests: true, ..Erp::default() };
    let mut bench = Bench::on(erp, &[Answer::LostAfter, Answer::Well, Answer::LostBefore]);
    bench.options.in_doubt_wait = HOUR;
    bench.chunk = 10;
    let (first, ledger) = bench.deliver(some(10)).await;
    assert!(first.complete);
    assert_eq!((first.states.get(State::Accepted), first.states.get(State::Unknown)), (4, 6));
    assert_eq!(ledger.get(State::Unknown), 6);
    let (second, ledger) = bench.deliver(some(10)).await;
    let count = |state| second.states.get(state);
    assert_eq!((count(State::Unchanged), count(State::Accepted)), (4, 6));
    assert_eq!((ledger.total(), ledger.get(State::Unknown)), (10, 0));
    assert_eq!((bench.held(), bench.doubled()), (10, 0));
    let (third, _) = bench.deliver(some(10)).await;
    assert_eq!(third.states.get(State::Unchanged), 10);
}

#[tokio::test]
async fn a_lost_workspace_asks_first_and_doubles_nothing() {
    let mut bench = Bench::new(&[]);
    bench.deliver(some(10)).await;
    bench.erp.inner.lock().unwrap().held.get_mut("K4").unwrap().audited = false;
    std::fs::remove_file(bench.workspace.database()).unwrap();
    bench.calls(None);
    bench.options.limit = Some(4);
    let (first, _) = bench.deliver(some(10)).await;
    assert_eq!((first.states.get(State::Present), first.documents), (4, 4));
    bench.options.limit = None;
    // The canary has filled the ledger a little; that does not make the others known.
    let (rest, ledger) = bench.deliver(some(10)).await;
    assert_eq!((rest.states.get(State::Unchanged), rest.states.get(State::Present)), (4, 5));
    assert_eq!(
        (rest.states.get(State::Accepted), ledger.get(State::Present)),
        (1, 9),
        "the unaudited one was finished"
    );
    assert!(bench.of("K4").audited);
    assert_eq!(bench.doubled(), 0);
    assert!(!bench.calls(None).contains(&"send"));
}

#[tokio::test]
async fn a_target_that_goes_away_leaves_every_document_accounted_for() {
    let bench = Bench::new(&[Answer::Well, Answer::Gone]);
    let (first, ledger) = bench.deliver(some(10)).await;
    assert!(!first.complete && first.failure.is_some());
    assert!(first.states.get(State::Unknown) == 3 && first.states.get(State::Accepted) >= 3, "{:?}", first.states);
    assert_eq!(ledger.total(), first.documents, "what was never begun is left to the next run");
    assert_eq!(ledger.get(State::Intended), 0, "an intent without an outcome is written down as unknown");
    let (second, _) = bench.deliver(some(10)).await;
    assert_eq!(second.states.needing_attention(), 0);
    assert_eq!((bench.held(), bench.doubled()), (10, 0));
}

#[tokio::test]
async fn the_canary_puts_as_many_on_the_way_as_it_was_told() {
    let mut bench = Bench::new(&[Answer::LostAfter]);
    bench.options.limit = Some(5);
    let (canary, _) = bench.deliver(some(10)).await;
    assert_eq!((canary.states.get(State::Accepted), canary.documents, canary.complete), (5, 5, false));
    assert_eq!((canary.in_scope, canary.mapped_rows), (5, 5));
    bench.options.limit = None;
    let (rest, _) = bench.deliver(some(10)).await;
    assert_eq!((rest.states.get(State::Unchanged), rest.states.get(State::Accepted)), (5, 5));
    assert_eq!(bench.doubled(), 0);
}

#[tokio::test]
async fn documents_in_doubt_count_for_the_canary() {
    let erp = Erp { refuses_doubles: true, ..Erp::default() };
    let mut bench = Bench::on(erp, &[Answer::LostBefore]);
    bench.options.limit = Some(3);
    bench.deliver(some(10)).await;
    bench.options.limit = Some(5);
    let (canary, _) = bench.deliver(some(10)).await;
    assert_eq!((canary.states.get(State::Accepted), canary.documents), (5, 5));
    bench.options.limit = None;
    let (rest, _) = bench.deliver(some(10)).await;
    assert_eq!((rest.states.get(State::Unchanged), rest.states.get(State::Accepted)), (5, 5));
}

#[tokio::test]
async fn changed_stale_and_rejected_documents_are_not_sent_by_themselves() {
    let mut bench = Bench::new(&[]);
    let documents = |value| vec![document("K1", 1, value), document("BAD", 2, value)];
    let (first, _) = bench.deliver(documents(5)).await;
    assert_eq!((first.states.get(State::Accepted), first.states.get(State::Rejected)), (1, 1));
    let (same, _) = bench.deliver(documents(5)).await;
    assert_eq!((same.states.get(State::Unchanged), same.states.get(State::Rejected)), (1, 1));
    let (stale, _) = bench.deliver(vec![document("K1", 1, 4)]).await;
    assert_eq!(stale.states.get(State::Stale), 1);
    let (changed, ledger) = bench.deliver(vec![document("K1", 3, 6)]).await;
    assert_eq!((changed.states.get(State::Changed), ledger.get(State::Changed)), (1, 1));
    let (back, ledger) = bench.deliver(vec![document("K1", 4, 5)]).await;
    assert_eq!((back.states.get(State::Unchanged), ledger.get(State::Accepted)), (1, 1));
    assert_eq!(bench.calls(Some("BAD")), ["find", "send"], "one attempt");
    bench.options.retry = true;
    bench.deliver(vec![document("BAD", 2, 5)]).await;
    assert_eq!(bench.calls(Some("BAD")), ["send"], "a retry sends the rejected one again");
    let kept = bench.exchanges("BAD");
    assert_eq!(kept, vec![("save".to_string(), "rejected".to_string()); 2]);
}
