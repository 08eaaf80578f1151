//! Documents in doubt: asked, never guessed; finished, never saved again; and the others go on meanwhile.

use super::bench::{Bench, WAIT, document, some};
use super::erp::{Answer, Erp};
use crate::base::Kind;
use crate::base::lifecycle::State;
use crate::base::record::{Document, Rid};
use crate::exchange::ExchangeWriter;
use crate::sink::Sink as _;
use crate::sink::driver::books::Books;
use crate::sink::driver::doubt::MAX_DOUBTS;
use crate::sink::driver::{Delivery, Ends, Options, Settled, settle_leftovers};
use crate::state::Store;
use crate::state::ledger::Write;
use chrono::{SecondsFormat, TimeDelta, Utc};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

const HOUR: Duration = Duration::from_secs(3600);

/// Past the first question of an empty ledger.
async fn known(script: &[Answer]) -> Bench {
    let bench = Bench::new(&[]);
    let mut store = Store::open(&bench.workspace).unwrap();
    let target = store.target(bench.erp.target()).unwrap();
    store.mark_done("p", target, &[]).unwrap();
    drop(store);
    bench.erp.inner.lock().unwrap().script = script.iter().copied().collect();
    bench
}

#[tokio::test]
async fn the_others_go_on_while_a_lost_one_waits_and_it_is_asked_about_twice() {
    let mut bench = known(&[Answer::LostBefore]).await;
    bench.options.in_flight = 1;
    let (done, ledger) = bench.deliver(some(10)).await;
    assert!(done.complete);
    assert_eq!((done.states.get(State::Accepted), ledger.get(State::Accepted)), (10, 10));
    assert_eq!((bench.held(), bench.doubled()), (10, 0));
    let log = std::mem::take(&mut bench.erp.inner.lock().unwrap().log);
    let calls: Vec<&str> = log.iter().filter(|(_, keys)| keys.contains(&"K0".into())).map(|(call, _)| *call).collect();
    assert_eq!(calls, ["find", "send", "find", "find", "send"]);
    let sent = |key: &str| log.iter().rposition(|(call, keys)| *call == "send" && keys.contains(&key.into())).unwrap();
    let second = log.iter().enumerate().filter(|(_, (call, keys))| *call == "find" && keys.contains(&"K0".into()));
    let asked = second.map(|(place, _)| place).nth(1).unwrap();
    assert!((3..10).all(|n| sent(&format!("K{n}")) < asked), "the others were sent before it was asked about: {log:?}");
    let kept: Vec<(String, String)> = bench.exchanges("K0");
    let kept: Vec<(&str, &str)> = kept.iter().map(|(operation, state)| (operation.as_str(), state.as_str())).collect();
    assert_eq!(kept, [("save", "unknown"), ("find", "unknown"), ("find", "unknown"), ("save", "accepted")]);
}

#[tokio::test]
async fn a_reply_lost_on_its_way_back_is_found_out_within_the_run() {
    let bench = known(&[Answer::LostAfter]).await;
    let began = Instant::now();
    let (done, _) = bench.deliver(some(3)).await;
    assert!(began.elapsed() >= WAIT, "not asked about before the request can be over");
    assert_eq!(done.states.get(State::Accepted), 3);
    assert_eq!(bench.calls(Some("K0")), ["find", "send", "find"]);
    assert_eq!(bench.entry("K0").remote.as_deref(), Some("id-K0"));
}

#[tokio::test]
async fn a_request_that_is_still_running_at_the_first_question_is_not_doubled() {
    let bench = known(&[Answer::LostLate(WAIT.mul_f64(1.5))]).await;
    let (done, _) = bench.deliver(some(3)).await;
    assert_eq!((done.states.get(State::Accepted), bench.held(), bench.doubled()), (3, 3, 0));
    assert_eq!(bench.calls(Some("K0")), ["find", "send", "find", "find"]);
}

#[tokio::test]
async fn a_document_whose_replies_are_always_lost_is_left_unknown_with_a_reason() {
    let mut script = [Answer::LostBefore; 9];
    script[0] = Answer::Well;
    let mut bench = known(&script).await;
    bench.options.in_flight = 1;
    let (done, _) = bench.deliver(some(6)).await;
    assert!(done.complete, "one bad document does not keep a run from its end: {:?}", done.failure);
    assert_eq!((done.states.get(State::Accepted), done.states.get(State::Unknown)), (3, 3));
    assert_eq!(bench.calls(Some("K3")).iter().filter(|call| **call == "send").count(), 4);
    let reason = bench.entry("K3").reason.unwrap();
    assert_eq!(reason.to_string(), "[reply] lost; so it was left after 3 more attempts");
}

#[tokio::test]
async fn what_is_behind_is_finished_and_never_saved_again() {
    let bench = known(&[Answer::Behind, Answer::BehindLost]).await;
    bench.erp.inner.lock().unwrap().finishes = [Answer::LostBefore, Answer::LostAfter].into();
    let (done, ledger) = bench.deliver(some(6)).await;
    assert_eq!((done.states.get(State::Accepted), ledger.get(State::Accepted)), (6, 6), "{done:?}");
    assert!((0..6).all(|n| bench.of(&format!("K{n}")).audited && bench.of(&format!("K{n}")).saves == 1));
    let calls = bench.calls(Some("K0"));
    assert_eq!(calls, ["find", "send", "finish", "find", "finish"], "the first finish was lost on its way there");
}

#[tokio::test]
async fn what_a_dead_run_left_behind_is_finished_at_once() {
    let mut bench = known(&[]).await;
    bench.options.in_doubt_wait = HOUR;
    let behind = document("K0", 0, 1);
    let digest = behind.digest;
    bench.erp.inner.lock().unwrap().script = [Answer::BehindLost].into();
    bench.erp.send(std::slice::from_ref(&behind)).await.unwrap();
    let mut store = Store::open(&bench.workspace).unwrap();
    let target = store.target(bench.erp.target()).unwrap();
    let intend = Write::Intend { key: "K0".into(), digest, version: Some(1), rid: Rid::new(1, 0) };
    let settle = Write::Settle { key: "K0".into(), state: State::Behind, remote: Some("id-K0".into()), reason: None };
    store.record(target, 1, 1, &[intend, settle]).unwrap();
    drop(store);
    bench.calls(None);
    let (done, _) = bench.deliver(vec![behind]).await;
    assert_eq!(done.states.get(State::Accepted), 1);
    assert_eq!(bench.calls(None), ["find", "finish"]);
    assert_eq!(bench.of("K0").saves, 1);
}

#[tokio::test]
async fn leftovers_are_settled_as_far_as_they_can_be_known_without_their_documents() {
    let mut bench = known(&[]).await;
    bench.options.batch_docs = 9;
    bench.erp.inner.lock().unwrap().script = [Answer::Behind].into();
    let there: Vec<Document> = ["K0", "K1", "AUD"].iter().map(|key| document(key, 0, 1)).collect();
    bench.erp.send(&there).await.unwrap();
    let mut store = Store::open(&bench.workspace).unwrap();
    let target = store.target(bench.erp.target()).unwrap();
    let run = store.begin_run("p", "run p", "then").unwrap();
    // Known to stand there but for K1, whose answer was lost; K2 never arrived.
    for (key, state, remote) in [
        ("K0", State::Behind, Some("id-K0")),
        ("AUD", State::Behind, Some("id-AUD")),
        ("K1", State::Unknown, None),
        ("K2", State::Unknown, None),
    ] {
        let (digest, rid) = (document(key, 0, 1).digest, Rid::new(1, 0));
        let intend = Write::Intend { key: key.into(), digest, version: None, rid };
        let settle = Write::Settle { key: key.into(), state, remote: remote.map(Into::into), reason: None };
        store.record(target, 1, run, &[intend, settle]).unwrap();
    }
    let left = store.in_doubt(target).unwrap();
    bench.workspace.make(&bench.workspace.exchange()).unwrap();
    let mut exchange = ExchangeWriter::new(&bench.workspace.exchange(), run + 1);
    let delivery = Delivery { pipeline: "p".into(), run: run + 1, target, mapping: 1 };
    let ends = Ends { sink: bench.erp.clone(), store: &mut store, exchange: &mut exchange };
    let settled = settle_leftovers(ends, &delivery, &left, 0).await.unwrap();
    assert_eq!(settled, Settled { there: 1, missing: 1, open: 2 });
    exchange.finish().unwrap();
    drop(store);
    let stands = |key: &str| bench.entry(key).delivered.state;
    assert_eq!([stands("K0"), stands("AUD")], [State::Accepted, State::Rejected]);
    assert_eq!([stands("K1"), stands("K2")], [State::Unknown, State::Unknown]);
    assert!(bench.entry("K1").reason.unwrap().text.contains("id-K1"));
    let kept =
        |key: &str| bench.exchanges(key).iter().map(|(what, state)| format!("{what} {state}")).collect::<Vec<_>>();
    assert_eq!(kept("K0"), ["find behind", "audit accepted"], "questions are on record like any other");
    assert_eq!([kept("K1"), kept("K2")], [["find unknown"], ["find unknown"]]);
    assert!(["K0", "K1", "AUD"].iter().all(|key| bench.of(key).saves == 1));
}

#[tokio::test]
async fn a_document_whose_audit_was_refused_is_never_saved_again_while_it_stands_there() {
    let mut bench = known(&[]).await;
    let (done, _) = bench.deliver(vec![document("AUD", 0, 1)]).await;
    assert_eq!((done.states.get(State::Rejected), bench.entry("AUD").remote.as_deref()), (1, Some("id-AUD")));
    bench.calls(None);
    bench.deliver(vec![document("AUD", 0, 1)]).await;
    assert!(bench.calls(None).is_empty(), "without a retry it is left alone");

    bench.options.retry = true;
    let (again, _) = bench.deliver(vec![document("AUD", 0, 1)]).await;
    assert_eq!((again.states.get(State::Rejected), bench.calls(None)), (1, vec!["find", "finish"]));
    let (other, ledger) = bench.deliver(vec![document("AUD", 0, 2)]).await;
    assert_eq!((other.states.get(State::Changed), ledger.get(State::Rejected)), (1, 1));
    assert_eq!(bench.calls(None), ["find"], "another version of it is not sent over the first");
    assert!(bench.entry("AUD").reason.unwrap().text.contains("stands there unfinished"));

    // A person opens the period: the same document, again, is audited.
    bench.erp.inner.lock().unwrap().audits_all = true;
    let (through, _) = bench.deliver(vec![document("AUD", 0, 1)]).await;
    assert_eq!((through.states.get(State::Accepted), bench.calls(None)), (1, vec!["find", "finish"]));
    assert_eq!(bench.of("AUD").saves, 1);
}

#[tokio::test]
async fn a_refused_document_that_a_person_removed_is_sent_anew() {
    let mut bench = known(&[]).await;
    bench.options.in_doubt_wait = HOUR;
    bench.deliver(vec![document("AUD", 0, 1)]).await;
    bench.erp.inner.lock().unwrap().held.clear();
    bench.erp.inner.lock().unwrap().audits_all = true;
    bench.calls(None);
    let (done, _) = bench.deliver(vec![document("AUD", 0, 2)]).await;
    assert_eq!((done.states.get(State::Accepted), bench.calls(None)), (1, vec!["find", "send"]));
}

#[tokio::test]
async fn what_is_not_ours_is_a_conflict_and_an_older_version_of_ours_is_not() {
    let bench = Bench::new(&[]);
    bench.erp.send(&[document("K0", 0, 7)]).await.unwrap();
    let (done, _) = bench.deliver(vec![document("K0", 0, 1), document("K1", 1, 1)]).await;
    assert_eq!((done.states.get(State::Conflict), done.states.get(State::Accepted)), (1, 1));
    assert_eq!((bench.entry("K0").remote.as_deref(), bench.of("K0").saves), (Some("id-K0"), 1));
    let (again, _) = bench.deliver(vec![document("K0", 0, 1)]).await;
    assert_eq!(again.states.get(State::Conflict), 1, "a person settles it");

    // Sent, answer lost, and until the next run the record has changed.
    let mut bench = known(&[Answer::LostAfter]).await;
    bench.options.in_doubt_wait = HOUR;
    bench.deliver_until(vec![document("K0", 0, 1)], 4).await;
    assert_eq!(bench.of("K0").saves, 1, "the request had arrived when the process died");
    bench.options.in_doubt_wait = WAIT;
    let (done, ledger) = bench.deliver(vec![document("K0", 5, 2)]).await;
    assert_eq!((done.states.get(State::Unknown), ledger.get(State::Unknown)), (1, 1), "ours, but nothing proves it");
    assert_eq!(
        bench.entry("K0").delivered.digest,
        document("K0", 0, 1).digest,
        "what was sent stays what is asked about"
    );
    let (back, ledger) = bench.deliver(vec![document("K0", 0, 1)]).await;
    assert_eq!((back.states.get(State::Accepted), ledger.get(State::Accepted)), (1, 1), "compared, and proven");
    let (changed, ledger) = bench.deliver(vec![document("K0", 5, 2)]).await;
    assert_eq!((changed.states.get(State::Changed), ledger.get(State::Changed), bench.of("K0").saves), (1, 1, 1));
}

#[tokio::test]
async fn a_foreign_document_is_never_taken_for_a_lost_version_of_ours() {
    let (first, second) = (document("K0", 0, 1), document("K0", 5, 2));
    let mut bench = known(&[Answer::LostBefore]).await;
    bench.options.in_doubt_wait = HOUR;
    bench.deliver_until(vec![first.clone()], 4).await;
    assert_eq!(bench.held(), 0, "it was lost on its way");
    bench.erp.send(&[document("K0", 0, 7)]).await.unwrap();
    bench.options.in_doubt_wait = WAIT;
    let (done, _) = bench.deliver(vec![second.clone()]).await;
    assert_eq!((done.states.get(State::Unknown), bench.entry("K0").remote), (1, None), "its id is not ours");
    assert_eq!(bench.entry("K0").reason.unwrap().code, "unproven");
    let (back, ledger) = bench.deliver(vec![first]).await;
    assert_eq!((back.states.get(State::Conflict), ledger.get(State::Conflict)), (1, 1), "never accepted");

    // Unproven, it has a way out too: a person removes the other one.
    bench.erp.inner.lock().unwrap().held.clear();
    bench.options.retry = true;
    let (through, _) = bench.deliver(vec![second]).await;
    assert_eq!((through.states.get(State::Accepted), bench.of("K0").saves), (1, 1));
}

/// Something that is not ours stands under `K0`, and the ledger knows.
async fn in_conflict() -> Bench {
    let bench = known(&[]).await;
    bench.erp.send(&[document("K0", 0, 7)]).await.unwrap();
    let (done, _) = bench.deliver(vec![document("K0", 0, 1)]).await;
    assert_eq!(done.states.get(State::Conflict), 1);
    bench.calls(None);
    bench
}

#[tokio::test]
async fn a_conflict_is_asked_about_on_a_retry_and_sent_once_when_nothing_stands_there_any_more() {
    let mut bench = in_conflict().await;
    bench.erp.inner.lock().unwrap().held.clear();
    let (left, _) = bench.deliver(vec![document("K0", 0, 1)]).await;
    assert_eq!((left.states.get(State::Conflict), bench.calls(None).len()), (1, 0), "untouched without a retry");
    bench.options.retry = true;
    let (sent, ledger) = bench.deliver(vec![document("K0", 0, 1)]).await;
    assert_eq!((sent.states.get(State::Accepted), ledger.get(State::Accepted)), (1, 1));
    assert_eq!(bench.calls(None), ["find", "find", "send"]);
    assert_eq!(bench.of("K0").saves, 1);
    let (again, _) = bench.deliver(vec![document("K0", 0, 1)]).await;
    assert_eq!((again.states.get(State::Unchanged), bench.calls(None).len()), (1, 0));
}

#[tokio::test]
async fn a_conflict_stays_one_as_long_as_something_else_stands_there() {
    let mut bench = in_conflict().await;
    bench.options.retry = true;
    for value in [1, 2] {
        let (done, ledger) = bench.deliver(vec![document("K0", 0, value)]).await;
        assert_eq!((done.states.get(State::Conflict), ledger.get(State::Conflict)), (1, 1));
        assert_eq!(bench.calls(None), ["find"]);
    }
    // A person replaced it by the very document.
    bench.erp.inner.lock().unwrap().held.clear();
    bench.erp.send(&[document("K0", 0, 1)]).await.unwrap();
    bench.calls(None);
    let (done, _) = bench.deliver(vec![document("K0", 0, 1)]).await;
    assert_eq!((done.states.get(State::Present), bench.calls(None)), (1, vec!["find"]));
}

#[tokio::test]
async fn a_retry_that_ends_before_it_asked_leaves_the_conflict_as_it_was() {
    let mut bench = in_conflict().await;
    bench.options = Options { retry: true, in_doubt_wait: HOUR, ..bench.options };
    let stop = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        bench.stop.store(true, Ordering::Relaxed);
    };
    let ((done, ledger), ()) = tokio::join!(bench.deliver(vec![document("K0", 0, 1)]), stop);
    assert_eq!((done.states.get(State::Conflict), ledger.get(State::Conflict)), (1, 1));
}

#[tokio::test]
async fn a_target_that_answers_nothing_any_more_ends_the_run() {
    // (batches that come through first, documents, how many of them are then thrown into doubt)
    for (well, documents, in_doubt) in [(0, 3, 3), (0, 60, 9), (2, 60, 9)] {
        let mut script = [Answer::LostBefore; 30];
        script[..well].fill(Answer::Well);
        let mut bench = known(&script).await;
        (bench.options.in_flight, bench.chunk) = (1, 60);
        let (done, ledger) = bench.deliver(some(documents)).await;
        let error = done.failure.as_ref().expect("it says why");
        assert_eq!((error.kind(), error.exit_code(), done.complete), (Kind::Unavailable, 3, false));
        assert!(
            error.to_string().contains("3 requests in a row") && error.to_string().contains("[reply] lost"),
            "{error}"
        );
        let accepted = 3 * well as u64;
        assert_eq!((done.states.get(State::Accepted), done.states.get(State::Unknown)), (accepted, in_doubt));
        assert_eq!(ledger.total(), accepted + in_doubt, "the others were not touched");
        assert_eq!(bench.calls(None).iter().filter(|call| **call == "send").count(), well + 3);
        // Up again, the next run asks first.
        bench.erp.inner.lock().unwrap().script.clear();
        let (next, _) = bench.deliver(some(documents)).await;
        assert!(next.complete && next.states.needing_attention() == 0, "{next:?}");
        assert_eq!((bench.held(), bench.doubled()), (documents as usize, 0));
    }
}

#[tokio::test]
async fn a_run_shows_that_it_is_alive_while_it_waits_for_its_last_calls() {
    let bench = Bench::on(Erp { way: Duration::from_millis(1100), ..Erp::default() }, &[]);
    let began = Utc::now();
    let stop = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        bench.stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(bench.deliver(some(3)), stop);
    let store = Store::open(&bench.workspace).unwrap();
    let last = store.last_sign(1).unwrap().expect("it gave one");
    assert!(!last.ended && last.at - began >= TimeDelta::seconds(1), "the last sign was given before the stop");
}

#[tokio::test]
async fn the_silence_of_another_run_is_measured_by_the_longest_period_of_signs() {
    let bench = known(&[]).await;
    let mut store = Store::open(&bench.workspace).unwrap();
    let target = store.target(bench.erp.target()).unwrap();
    let ago = |seconds| (Utc::now() - TimeDelta::seconds(seconds)).to_rfc3339_opts(SecondsFormat::Millis, true);
    let (digest, rid) = (document("K0", 0, 1).digest, Rid::new(1, 0));
    // (last heard of, lost since at least)
    for (heard, least) in [(15, 0), (60, 39)] {
        let run = store.begin_run("p", "run p", &ago(99)).unwrap();
        store.record(target, 1, run, &[Write::Intend { key: "K0".into(), digest, version: None, rid }]).unwrap();
        store.alive(run, &ago(heard)).unwrap();
        let entry = store.entries(target, ["K0"].into_iter()).unwrap().remove(0).unwrap();
        let mut exchange = ExchangeWriter::new(&bench.workspace.exchange(), run + 1);
        let delivery = Delivery { pipeline: "p".into(), run: run + 1, target, mapping: 1 };
        let books = Books::new(&mut store, &mut exchange, &delivery, "erp:test", WAIT);
        let lost = books.lost_since(&entry).unwrap().as_secs();
        assert!((least..=least + 2).contains(&lost), "heard of {heard} s ago, lost for {lost} s");
    }
}

#[tokio::test]
async fn a_stop_cuts_the_wait_short_and_the_next_run_goes_on() {
    let mut bench = known(&[Answer::LostAfter]).await;
    bench.options.in_doubt_wait = HOUR;
    let began = Instant::now();
    let stop = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        bench.stop.store(true, Ordering::Relaxed);
    };
    let ((done, ledger), ()) = tokio::join!(bench.deliver(some(10)), stop);
    assert!(began.elapsed() < Duration::from_secs(30));
    assert!(!done.complete);
    assert_eq!((done.states.get(State::Accepted), done.states.get(State::Unknown)), (7, 3));
    assert_eq!(ledger.get(State::Unknown), 3);
    assert_eq!(bench.entry("K0").reason.unwrap().to_string(), "[reply] lost");
    bench.stop.store(false, Ordering::Relaxed);
    bench.options.in_doubt_wait = WAIT;
    let (next, _) = bench.deliver(some(10)).await;
    assert_eq!((next.states.get(State::Unchanged), next.states.get(State::Accepted)), (7, 3));
    assert_eq!((bench.held(), bench.doubled()), (10, 0));
}

#[tokio::test]
async fn the_time_since_a_dead_run_was_last_heard_of_counts() {
    let ago = |hours| (Utc::now() - TimeDelta::hours(hours)).to_rfc3339_opts(SecondsFormat::Millis, true);
    // (ended, last sign, is it asked at once?)
    let cases = [(Some(3), None, true), (None, Some(3), true), (Some(0), Some(3), false), (None, None, false)];
    for (ended, alive, at_once) in cases {
        let mut bench = known(&[]).await;
        bench.options.in_doubt_wait = HOUR;
        let mut store = Store::open(&bench.workspace).unwrap();
        let target = store.target(bench.erp.target()).unwrap();
        let run = store.begin_run("p", "run p", &ago(4)).unwrap();
        let (digest, rid) = (document("K0", 0, 1).digest, Rid::new(1, 0));
        store.record(target, 1, run, &[Write::Intend { key: "K0".into(), digest, version: None, rid }]).unwrap();
        if let Some(hours) = alive {
            store.alive(run, &ago(hours)).unwrap();
        }
        if let Some(hours) = ended {
            store.end_run(run, &ago(hours), 1, "{}").unwrap();
        }
        drop(store);
        let deliver = bench.deliver(some(1));
        let (done, _) = if at_once {
            deliver.await
        } else {
            let stop = async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                bench.stop.store(true, Ordering::Relaxed);
            };
            tokio::join!(deliver, stop).0
        };
        assert_eq!(done.complete, at_once, "{ended:?} {alive:?}");
        let calls = bench.calls(None);
        assert_eq!(calls, if at_once { &["find", "find", "send"][..] } else { &[] }, "{ended:?} {alive:?}");
    }
}

#[tokio::test]
async fn doubtful_documents_are_bounded() {
    const BATCH: usize = 500;
    let mut bench = known(&[Answer::LostBefore; 20]).await;
    bench.options = Options { batch_docs: BATCH, in_doubt_wait: Duration::from_millis(1500), ..bench.options };
    bench.chunk = BATCH;
    let stop = async {
        tokio::time::sleep(Duration::from_millis(1400)).await;
        bench.stop.store(true, Ordering::Relaxed);
    };
    // One document of every batch is refused, so that the target is not taken to be out of order.
    let mut documents = some(10_000);
    for row in (0..10_000).step_by(BATCH) {
        documents[row] = document(&format!("BAD{row}"), 0, 1);
    }
    let ((done, _), ()) = tokio::join!(bench.deliver(documents), stop);
    let unknown = usize::try_from(done.states.get(State::Unknown)).unwrap();
    assert!(unknown >= MAX_DOUBTS, "the target was slow: only {unknown} were sent");
    assert!(unknown <= MAX_DOUBTS + bench.options.in_flight * BATCH, "{unknown} were in doubt at once");
}

#[tokio::test]
async fn digests_that_the_target_keeps_are_proof() {
    let erp = Erp { keeps_digests: true, ..Erp::default() };
    let bench = Bench::on(erp, &[]);
    bench.erp.send(&[document("K0", 0, 7), document("K1", 1, 1)]).await.unwrap();
    let (done, ledger) = bench.deliver(vec![document("K0", 0, 8), document("K1", 1, 1)]).await;
    assert_eq!((done.states.get(State::Changed), done.states.get(State::Present)), (1, 1));
    assert_eq!((ledger.get(State::Changed), bench.doubled()), (1, 0));
}
