//! Slices and coverage as tables, and as rules over many random cases.

use super::*;
use crate::base::clock::{instant, parse_wall};
use std::time::Duration as Std;

const WEEK: Std = Std::from_secs(7 * 86_400);

fn at(text: &str) -> Wall {
    parse_wall(text).expect("a time")
}

fn day(n: u32) -> Wall {
    at(&format!("2024-06-{n:02} 00:00:00"))
}

fn iv(from: Wall, to: Wall) -> Interval {
    Interval::new(from, to).expect("in order")
}

fn window(slice: u64) -> Window {
    Window {
        slice: Std::from_secs(slice),
        overlap: Std::from_secs(300),
        settle: Std::from_secs(60),
        page_size: 200,
        start: None,
    }
}

fn bounds(asks: &[Ask]) -> Vec<(Wall, Wall)> {
    let one = |ask: &Ask| match &ask.kind {
        AskKind::Window { from, to, .. } => (*from, *to),
        AskKind::Adhoc => panic!("no window"),
    };
    asks.iter().map(one).collect()
}

#[test]
fn coverage_against_a_model_of_seconds() {
    let mut rng = fastrand::Rng::with_seed(7);
    let second = |n: u32| day(1) + Duration::seconds(i64::from(n));
    for case in 0..2_000 {
        // The model: which of the 40 steps between neighbouring seconds are covered.
        let mut steps = [false; 40];
        let mut coverage = Coverage::default();
        let mut inserted = Vec::new();
        for _ in 0..rng.u32(0..8) {
            let from = rng.u32(0..40);
            let to = rng.u32(from + 1..=40);
            (from..to).for_each(|s| steps[s as usize] = true);
            coverage.insert(iv(second(from), second(to)));
            inserted.push(iv(second(from), second(to)));
        }
        assert_eq!(inserted.iter().copied().collect::<Coverage>(), coverage, "case {case}: order must not matter");
        for pair in coverage.intervals().windows(2) {
            assert!(pair[0].to < pair[1].from, "case {case}");
        }
        let from = rng.u32(0..40);
        let to = rng.u32(from + 1..=40);
        let gaps = coverage.gaps(iv(second(from), second(to)));
        for step in from..to {
            let inside = |i: &Interval| i.from <= second(step) && second(step + 1) <= i.to;
            let covered = coverage.intervals().iter().any(inside);
            assert_eq!(covered, steps[step as usize], "case {case} step {step}");
            assert_eq!(gaps.iter().any(inside), !covered, "case {case} step {step}");
        }
        assert!(gaps.iter().all(|g| second(from) <= g.from && g.from < g.to && g.to <= second(to)), "case {case}");
        assert_eq!(coverage.covers(iv(second(from), second(to))), gaps.is_empty(), "case {case}");
        let end = (from..40).find(|s| !steps[*s as usize]).unwrap_or(40);
        assert_eq!(coverage.contiguous_end(second(from)), second(end), "case {case}");
    }
}

#[test]
fn slices_lie_on_the_grid_whatever_the_range() {
    let mut rng = fastrand::Rng::with_seed(11);
    for case in 0..2_000 {
        let cell = Duration::seconds([1, 60, 3_600, 86_400, 5_000, 7 * 86_400][rng.usize(0..6)]);
        let origin = at("1970-01-01") + Duration::seconds(rng.i64(-1_000_000..2_000_000_000));
        let range = iv(
            origin,
            origin + Duration::seconds(rng.i64(0..20) * cell.num_seconds() + rng.i64(0..cell.num_seconds())),
        );
        let slices = cut(range, cell);
        assert_eq!((slices[0].from, slices[slices.len() - 1].to), (range.from, range.to), "case {case}");
        for pair in slices.windows(2) {
            assert_eq!(pair[0].to, pair[1].from, "case {case}: shared edges");
            let edge = pair[0].to.and_utc().timestamp();
            assert_eq!(edge.rem_euclid(cell.num_seconds()), 0, "case {case}: edges on the grid");
        }
        assert!(slices.iter().all(|s| s.to - s.from <= cell), "case {case}");
        assert!(slices.len() == 1 || slices.iter().all(|s| s.to > s.from), "case {case}: no empty slice");
    }
    assert_eq!(cut(iv(day(1), day(1)), Duration::days(1)), [iv(day(1), day(1))]);
}

#[test]
fn the_first_run_needs_a_beginning() {
    let now = instant(at("2024-06-03 10:00:30"));
    let fault = plan_incremental(&Coverage::default(), &window(86_400), WEEK, now, None).expect_err("no beginning");
    assert_eq!(fault.exit_code(), 2);
    assert!(fault.cure().is_some_and(|c| c.contains("source.window.start") && c.contains("--from")));
    let mut started = window(86_400);
    started.start = Some(at("2024-06-01 12:00:00"));
    let plan = plan_incremental(&Coverage::default(), &started, WEEK, now, None).expect("a plan");
    let current = at("2024-06-03 09:59:30");
    assert_eq!((plan.last_sync, plan.current), (at("2024-06-01 12:00:00"), current));
    let expected = [(at("2024-06-01 12:00:00"), day(2)), (day(2), day(3)), (day(3), current)];
    assert_eq!(bounds(&plan.asks), expected);
    let from = plan_incremental(&Coverage::default(), &started, WEEK, now, Some(day(3))).expect("a plan");
    assert_eq!(bounds(&from.asks), [(day(3), current)], "--from goes before start");
}

#[test]
fn an_incremental_run_continues_from_the_contiguous_end() {
    let now = instant(at("2024-06-10 10:00:00"));
    let current = at("2024-06-10 09:59:00");
    let minutes = |at: Wall, n: i64| at + Duration::minutes(n);
    let plan = |sealed: &[Interval], start: Option<Wall>| {
        let mut window = window(86_400);
        window.start = start;
        plan_incremental(&sealed.iter().copied().collect(), &window, WEEK, now, None).expect("a plan")
    };
    // One whole interval: overlap before its end, then the grid.
    let plain = plan(&[iv(day(1), minutes(day(10), 60))], None);
    assert_eq!(plain.last_sync, minutes(day(10), 55));
    assert_eq!(bounds(&plain.asks), [(minutes(day(10), 55), current)]);
    // The overlap reaches over a grid line: two slices.
    let over = plan(&[iv(day(1), minutes(day(10), 2))], None);
    assert_eq!(bounds(&over.asks), [(minutes(day(10), -3), day(10)), (day(10), current)]);
    // A later interval does not move the mark over the gap; the gap is pulled, the later interval is not.
    let gap = plan(&[iv(day(1), day(5)), iv(day(6), minutes(day(10), 60))], None);
    assert_eq!(gap.last_sync, minutes(day(5), -5));
    let expected = [(minutes(day(5), -5), day(5)), (day(5), day(6)), (minutes(day(10), 55), current)];
    assert_eq!(bounds(&gap.asks), expected);
    // A history before `start` does not become the beginning.
    let history = plan(&[iv(day(1), day(2)), iv(day(8), day(9))], Some(day(8)));
    assert_eq!(history.last_sync, minutes(day(9), -5));
    assert_eq!(bounds(&history.asks).first(), Some(&(minutes(day(9), -5), day(9))));
    // An interval shorter than the overlap: not before its begin.
    let short = plan(&[iv(day(10), minutes(day(10), 1))], None);
    assert_eq!((short.last_sync, bounds(&short.asks)), (day(10), vec![(day(10), current)]));
    // Nothing due: covered up to now, or beginning in the future.
    assert_eq!(plan(&[iv(day(1), current)], None).asks, []);
    assert_eq!(plan(&[], Some(day(11))).asks, []);
}

#[test]
fn sealing_what_was_planned_leaves_nothing_to_do_and_no_gap() {
    let mut rng = fastrand::Rng::with_seed(3);
    for case in 0..500 {
        let mut coverage = Coverage::default();
        let mut window = window([3_600, 86_400, 50_000][rng.usize(0..3)]);
        window.start = Some(day(1) + Duration::seconds(rng.i64(0..86_400)));
        for _ in 0..rng.u32(0..4) {
            let from = day(1) + Duration::seconds(rng.i64(0..8 * 86_400));
            coverage.insert(iv(from, from + Duration::seconds(rng.i64(1..86_400))));
        }
        let now = instant(day(10) + Duration::seconds(rng.i64(0..86_400)));
        let plan = plan_incremental(&coverage, &window, WEEK, now, None).expect("a plan");
        let asked = bounds(&plan.asks);
        assert!(asked.windows(2).all(|p| p[0].0 <= p[1].0), "case {case}: oldest first");
        assert!(asked.iter().all(|(_, to)| *to <= plan.current), "case {case}: nothing after CURRENT_TIME");
        // Stopped after any number of sealed slices, the mark stands at a point up to which all is covered.
        let stop = rng.usize(0..=asked.len());
        asked[..stop].iter().for_each(|(from, to)| coverage.insert(iv(*from, *to)));
        let next = plan_incremental(&coverage, &window, WEEK, now, None).expect("a plan");
        let start = window.start.expect("set");
        assert!(next.last_sync <= start || coverage.covers(iv(start, next.last_sync)), "case {case}");
        bounds(&next.asks).iter().for_each(|(from, to)| coverage.insert(iv(*from, *to)));
        assert!(coverage.covers(iv(start, plan.current)), "case {case}");
        let done = plan_incremental(&coverage, &window, WEEK, now, None).expect("a plan");
        assert_eq!(done.asks, [], "case {case}");
    }
}

#[test]
fn a_history_is_cut_on_its_stable_time_daily_tables_first() {
    let now = instant(at("2024-06-03 10:01:00"));
    let history = History { axis: "created".into(), table_switches: vec![2, 1, 2] };
    let asks = plan_history(iv(day(1), day(20)), &window(2 * 86_400), WEEK, Some(&history), now).expect("a plan");
    // 1970-01-01 + 19876 d = 2024-06-02: lines of a two-day grid fall on even days here.
    let current = at("2024-06-03 10:00:00");
    assert_eq!(bounds(&asks), [(day(1), day(2)), (day(1), day(2)), (day(2), current), (day(2), current)]);
    let switches: Vec<_> = asks
        .iter()
        .map(|ask| match &ask.kind {
            AskKind::Window { axis: Axis::Stable { name, table_switch }, .. } => (name.as_str(), *table_switch),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(switches, [("created", Some(1)), ("created", Some(2)), ("created", Some(1)), ("created", Some(2))]);
    let plain = History { axis: "consign".into(), table_switches: vec![] };
    let asks = plan_history(iv(day(1), day(2)), &window(86_400), WEEK, Some(&plain), now).expect("a plan");
    assert!(matches!(&asks[0].kind, AskKind::Window { axis: Axis::Stable { table_switch: None, .. }, .. }));
    let modified = plan_history(iv(day(1), day(2)), &window(43_200), WEEK, None, now).expect("a plan");
    let noon = at("2024-06-01 12:00:00");
    assert_eq!(bounds(&modified), [(day(1), noon), (noon, day(2))]);
    assert!(modified.iter().all(|a| matches!(&a.kind, AskKind::Window { axis: Axis::Modified, .. })));
    assert!(plan_history(iv(day(4), day(5)), &window(86_400), WEEK, None, now).is_err(), "in the future");
    assert!(Interval::new(day(2), day(1)).is_err());
}

#[test]
fn the_catch_up_reaches_from_before_the_campaign_to_now() {
    let started = at("2024-06-01 00:02:00");
    let asks = catch_up(started, &window(86_400), WEEK, instant(at("2024-06-01 08:01:00"))).expect("a plan");
    assert_eq!(bounds(&asks), [(at("2024-05-31 23:57:00"), day(1)), (day(1), at("2024-06-01 08:00:00"))]);
    assert_eq!(catch_up(started, &window(86_400), WEEK, instant(at("2024-05-31 23:58:00"))).expect("a plan"), []);
}

#[test]
fn slices_beyond_the_vendors_maximum_or_without_length_are_refused() {
    let now = instant(day(10));
    for (slice, ok) in [(7 * 86_400, true), (7 * 86_400 + 1, false), (0, false)] {
        let window = window(slice);
        assert_eq!(plan_incremental(&Coverage::default(), &window, WEEK, now, Some(day(1))).is_ok(), ok);
        assert_eq!(plan_history(iv(day(1), day(2)), &window, WEEK, None, now).is_ok(), ok);
        assert_eq!(catch_up(day(1), &window, WEEK, now).is_ok(), ok);
    }
    let fault = plan_incremental(&Coverage::default(), &window(8 * 86_400), WEEK, now, None).expect_err("too long");
    assert!(fault.to_string().contains("source.window.slice: 8 days are more than the vendor's 7"), "{fault}");
}

#[test]
fn halving_ends_and_loses_nothing() {
    let set = vec![("shopIds".to_string(), "1".to_string())];
    for seconds in [0, 1, 2, 3, 86_400, 86_401] {
        let kind = AskKind::Window { from: day(1), to: day(1) + Duration::seconds(seconds), axis: Axis::Modified };
        let whole = Ask { kind, set: set.clone() };
        let Some((left, right)) = split(&whole) else {
            assert!(seconds < 2);
            continue;
        };
        let [(a, b), (c, d)] = bounds(&[left.clone(), right.clone()])[..] else { panic!("two halves") };
        assert_eq!((a, b, d), (day(1), c, day(1) + Duration::seconds(seconds)));
        assert!(a < b && c < d && (left.set, right.set) == (set.clone(), set.clone()));
    }
    assert_eq!(split(&Ask { kind: AskKind::Adhoc, set }), None);
}
