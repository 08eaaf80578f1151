//! What every sink promises, whatever it writes to.

use super::{body_of, document, find, send, states, with_lines};
use dukou::base::lifecycle::State;
use dukou::base::record::{DocKey, Document, Outcome};
use dukou::base::value::{Object, Value};
use dukou::sink::{Found, Proof, Sink};

/// A target under test, looked at from outside the sink.
#[async_trait::async_trait]
pub trait Target: Send + Sync {
    /// One more sink on the same target, as another process would have it.
    fn sink(&self) -> Box<dyn Sink>;

    /// Main rows (or documents) whose key begins with `prefix`, and their lines.
    async fn stored(&self, prefix: &str) -> (usize, usize);

    /// The `return_reason` stored under a key.
    async fn reason(&self, key: &str) -> Option<String>;

    /// Does it have limits (255 characters in `return_reason`, `dispatch_id` not null)?
    fn has_limits(&self) -> bool;
}

pub async fn every_sink(target: &dyn Target) {
    target.sink().check().await.expect("the check");
    once_and_only_once(target).await;
    one_bad_among_many(target).await;
    hostile_values(target).await;
    two_race_on_one_batch(target).await;
}

async fn once_and_only_once(target: &dyn Target) {
    let sink = target.sink();
    assert_eq!(send(&*sink, &[]).await.expect("an empty batch"), []);
    assert_eq!(find(&*sink, &[]).await.expect("no keys"), []);
    let batch: Vec<Document> = (0..7).map(|i| document(&format!("once-{i}"), "")).collect();
    let keys: Vec<DocKey> = batch.iter().map(|d| d.key.clone()).collect();
    assert_eq!(find(&*sink, &keys).await.expect("missing keys"), vec![Found::Missing; 7]);

    let sent = send(&*sink, &batch[..6]).await.expect("the first time");
    assert_eq!(states(&sent), ["Accepted"; 6]);
    let found = find(&*sink, &keys).await.expect("keys");
    for (i, found) in found.iter().enumerate() {
        let remote = sent.get(i).and_then(Outcome::remote).map(str::to_string);
        let there = Found::There { remote, state: State::Present, proof: Proof::Digest(batch[i].digest) };
        assert_eq!(*found, if i < 6 { there } else { Found::Missing }, "{i}");
    }

    // Again, by this one and by another; in another order; with another content.
    for sink in [sink, target.sink()] {
        let again = send(&*sink, &batch[..6]).await.expect("the second time");
        assert_eq!(states(&again), ["Present"; 6]);
        assert!(again.iter().zip(&sent).all(|(a, s)| a.remote() == s.remote()), "{again:?}");
        let mixed = [document("once-3", "other"), batch[0].clone(), batch[6].clone(), document("once-6", "other")];
        let outcomes = send(&*sink, &mixed).await.expect("a mixed batch");
        let third = if outcomes[2].state() == State::Accepted { "Accepted" } else { "Present" };
        assert_eq!(states(&outcomes), ["Conflict", "Present", third, "Conflict"]);
    }
    assert_eq!(target.stored("once-").await, (7, 14));
}

async fn one_bad_among_many(target: &dyn Target) {
    if !target.has_limits() {
        return;
    }
    let mut batch: Vec<Document> = (0..500).map(|i| document(&format!("many-{i}"), "好")).collect();
    let long = "长".repeat(256);
    batch[137] = document("many-137", &long);
    batch[400] = body_of("many-400", Value::Null, Value::Null, Value::Null);
    // Its main row and its first line would go in.
    let line = |goods_id: &str| Value::Object(Object::from_pairs([("goods_id", Value::text(goods_id))]));
    batch[401] = with_lines("many-401", Value::Null, vec![line("many-401"), line(&"x".repeat(65))]);
    let outcomes = send(&*target.sink(), &batch).await.expect("outcomes");
    for (i, outcome) in outcomes.iter().enumerate() {
        let expected = if matches!(i, 137 | 400 | 401) { State::Rejected } else { State::Accepted };
        assert_eq!(outcome.state(), expected, "{i}: {outcome:?}");
    }
    let reason = outcomes[137].reason().expect("a reason");
    assert!(reason.text.contains("return_reason"), "the target's own words: {reason}");
    let field = outcomes[400].reason().and_then(|r| r.field.clone());
    assert_eq!(field.as_deref(), Some("dispatch_id"), "{:?}", outcomes[400]);
    assert_eq!(target.stored("many-").await, (497, 994));
    let found = find(&*target.sink(), &[batch[137].key.clone(), batch[138].key.clone()]).await.expect("keys");
    assert!(matches!(found.as_slice(), [Found::Missing, Found::There { .. }]), "{found:?}");
}

async fn hostile_values(target: &dyn Target) {
    let long = "x".repeat(70_000);
    let values = [
        "'); DROP TABLE sale_return; --",
        "a\0b\u{1}c",
        "𠮷😀 4-byte",
        "back\\slash \\' \" ` % _ \r\n\t",
        "<{return_reason: }> :lastInsertId ? NULL",
        "",
        " blanks ",
        long.as_str(),
    ];
    let batch: Vec<Document> =
        values.iter().enumerate().map(|(i, v)| document(&format!("hostile-{i}-'\"\\😀"), v)).collect();
    let outcomes = send(&*target.sink(), &batch).await.expect("outcomes");
    for ((document, value), outcome) in batch.iter().zip(values).zip(&outcomes) {
        let stored = target.reason(document.key.as_str()).await;
        match outcome.state() {
            State::Accepted => assert_eq!(stored.as_deref(), Some(value)),
            State::Rejected if target.has_limits() && value.len() > 255 => assert_eq!(stored, None),
            _ => panic!("{value:.40}: {outcome:?}"),
        }
    }
}

async fn two_race_on_one_batch(target: &dyn Target) {
    let batch: Vec<Document> = (0..300).map(|i| document(&format!("race-{i}"), "")).collect();
    let mut other = batch.clone();
    other.reverse();
    let (one, two) = (target.sink(), target.sink());
    let (first, second) = tokio::join!(send(&*one, &batch), send(&*two, &other));
    let (first, second) = (first.expect("the first"), second.expect("the second"));
    for (i, outcome) in first.iter().enumerate() {
        let pair = [outcome.state(), second[299 - i].state()];
        assert!(
            pair == [State::Accepted, State::Present] || pair == [State::Present, State::Accepted],
            "{i}: {outcome:?} {:?}",
            second[299 - i]
        );
    }
    assert_eq!(target.stored("race-").await, (300, 600));
}
