//! Crashes at every step, and chance in everything the target does: at the end each document is there exactly once, and the
//! ledger says what the target has.

use super::bench::{Bench, document, some};
use super::erp::{Answer, Erp};
use crate::base::lifecycle::State;
use std::time::Duration;

#[tokio::test]
async fn a_crash_at_any_step_doubles_and_loses_nothing() {
    let script = [Answer::LostAfter, Answer::BehindLost, Answer::Well, Answer::LostBefore, Answer::Behind];
    let mut crashes = 0;
    for steps in 1.. {
        let erp = Erp { way: Duration::from_millis(1), ..Erp::default() };
        let mut bench = Bench::on(erp, &script);
        bench.options.in_doubt_wait = Duration::from_millis(8);
        bench.options.in_flight = 1;
        let died = bench.deliver_until(some(15), steps).await.is_none();
        crashes += usize::from(died);
        let (done, ledger) = bench.deliver(some(15)).await;
        assert!(done.complete, "after {steps} steps: {:?}", done.failure);
        assert_eq!((bench.held(), bench.doubled()), (15, 0), "after {steps} steps");
        let through = ledger.get(State::Accepted) + ledger.get(State::Present);
        assert_eq!((through, ledger.total()), (15, 15), "after {steps} steps: {ledger:?}");
        assert!((0..15).all(|n| bench.of(&format!("K{n}")).audited), "after {steps} steps");
        if !died {
            break;
        }
    }
    assert!(crashes > 9, "only {crashes} crashes");
}

/// One life of a workspace: some runs against a target that does as it likes, some of them killed, then a good day.
async fn life(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    // Long against what the steps of the loop take, so that a question asked too early shows.
    let wait = Duration::from_millis(40);
    let way = Duration::from_micros(random.u64(0..800));
    let mut bench = Bench::on(Erp { way, ..Erp::default() }, &[]);
    bench.options.in_doubt_wait = wait;
    bench.options.batch_docs = random.usize(1..5);
    bench.options.in_flight = random.usize(1..4);
    bench.chunk = random.usize(1..9);
    let count = random.u32(1..14);
    // A lost request may go on for longer than until the first question, but not until the second.
    bench.erp.inner.lock().unwrap().chance = Some((fastrand::Rng::with_seed(seed), wait.mul_f64(1.9)));
    for _ in 0..random.u32(1..4) {
        let steps = if random.bool() { random.usize(1..40) } else { usize::MAX };
        bench.deliver_until(some(count), steps).await;
    }
    bench.erp.inner.lock().unwrap().chance = None;
    let (done, ledger) = bench.deliver(some(count)).await;
    assert!(done.complete && done.states.needing_attention() == 0, "seed {seed}: {done:?}");
    let count = count as usize;
    assert_eq!((bench.held(), bench.doubled()), (count, 0), "seed {seed}");
    let through = ledger.get(State::Accepted) + ledger.get(State::Present);
    assert_eq!((through, ledger.total()), (count as u64, count as u64), "seed {seed}: {ledger:?}");
    for n in 0..count {
        let key = format!("K{n}");
        let (held, entry) = (bench.of(&key), bench.entry(&key));
        assert!(held.audited, "seed {seed}: {key}");
        assert_eq!(held.digest, entry.delivered.digest, "seed {seed}: {key}");
        assert_eq!(entry.remote, Some(format!("id-{key}")), "seed {seed}: {key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_lives_end_with_every_document_there_once() {
    for seeds in (0..200).collect::<Vec<u64>>().chunks(25) {
        let mut lives: tokio::task::JoinSet<()> = seeds.iter().map(|seed| life(*seed)).collect();
        while let Some(life) = lives.join_next().await {
            life.expect("a life ends well");
        }
    }
}

/// The played target would show a double.
#[tokio::test]
async fn the_played_target_stores_twice_what_it_is_sent_twice() {
    use crate::sink::Sink as _;
    let bench = Bench::new(&[]);
    bench.erp.send(&[document("K0", 0, 1)]).await.unwrap();
    bench.erp.send(&[document("K0", 0, 1)]).await.unwrap();
    assert_eq!(bench.doubled(), 1);
}
