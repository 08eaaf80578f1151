//! Pages over a window that stands still, and over one that does not.

use super::*;
use crate::source::driver::Completeness;

/// A vendor with these rows, two to a page; `paging` says what stands beside them. Before each answer `change` may move
/// rows, told the number of the call.
fn vendor(
    rows: Vec<u32>,
    paging: impl Fn(usize, usize, bool) -> Value,
    mut change: impl FnMut(usize, &mut Vec<u32>),
) -> impl FnMut(&Request) -> Reply {
    let mut rows = rows;
    let mut call = 0;
    move |request| {
        change(call, &mut rows);
        call += 1;
        let index = usize::try_from(biz(request)["page_index"].as_u64().expect("a number")).expect("small");
        let begin = ((index - 1) * 2).min(rows.len());
        let end = (begin + 2).min(rows.len());
        page(paging(index, rows.len(), end < rows.len()), &rows[begin..end])
    }
}

/// As every recorded answer has it: no totals.
fn recorded(index: usize, _: usize, more: bool) -> Value {
    json!({ "page_index": index, "page_size": 2, "has_next": more })
}

/// As it is declared.
fn declared(index: usize, rows: usize, more: bool) -> Value {
    json!({ "page_index": index, "page_size": 2, "has_next": more, "data_count": rows, "page_count": rows.div_ceil(2) })
}

fn still(_: usize, _: &mut Vec<u32>) {}

fn pull(answer: impl FnMut(&Request) -> Reply) -> Talk {
    talk_about(&plain(), &window(Axis::Modified), answer)
}

fn completeness(talk: &Talk) -> Completeness {
    let pulled = crate::source::driver::Pulled {
        pages: 0,
        records: talk.ids().len() as u64,
        announced_total: talk.total,
        unsettled: talk.unsettled.clone(),
        digest: 0,
        vendor_clock: None,
    };
    pulled.completeness()
}

#[test]
fn one_page_is_one_call() {
    for paging in [recorded, declared] {
        for rows in [vec![], vec![1], vec![1, 2]] {
            let talk = pull(vendor(rows.clone(), paging, still));
            assert_eq!((talk.asked(), talk.pages.len(), talk.ids().len()), (vec![1], 1, rows.len()), "{rows:?}");
            assert_ne!(talk.total, Some(1 + rows.len() as u64));
            assert!(!matches!(completeness(&talk), Completeness::Unstable { .. }));
        }
    }
    let null = r#"{"code":0,"msg":"","data":{"datas":null,"has_next":false,"page_index":1,"page_size":2}}"#;
    let talk = talk(vec![reply(200, null)]);
    assert_eq!((talk.end.is_ok(), talk.pages.len(), talk.ids().len()), (true, 1, 0));
}

#[test]
fn with_totals_the_last_page_comes_first_and_the_first_is_asked_again_at_the_end() {
    let talk = pull(vendor((1..=7).collect(), declared, still));
    assert_eq!(talk.asked(), [1, 4, 3, 2, 1]);
    assert_eq!(talk.ids(), [7, 5, 6, 3, 4, 1, 2]);
    assert_eq!(talk.pages.iter().map(|p| p.number).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!((talk.total, completeness(&talk)), (Some(7), Completeness::Whole));
    // Only the number of pages: it finds the last one, and proves nothing.
    let pages =
        |index, rows: usize, more| json!({ "page_index": index, "has_next": more, "page_count": rows.div_ceil(2) });
    let talk = pull(vendor((1..=7).collect(), pages, still));
    assert_eq!(talk.asked(), [1, 4, 3, 2, 1, 4, 3, 2, 1]);
    // Only totals, as numbers in text.
    let totals = |_, rows: usize, _| json!({ "data_count": rows.to_string() });
    let talk = pull(vendor((1..=7).collect(), totals, still));
    assert_eq!((talk.asked(), completeness(&talk)), (vec![1, 4, 3, 2, 1], Completeness::Whole));
}

#[test]
fn without_totals_the_last_page_is_found_and_everything_read_twice() {
    for rows in 3..=40u32 {
        let last = u64::from(rows.div_ceil(2));
        let talk = pull(vendor((1..=rows).collect(), recorded, still));
        let asked = talk.asked();
        let found = asked.iter().position(|page| *page == last).expect("the last page was asked for");
        assert!(found <= 10, "{rows} rows: {asked:?}");
        let down: Vec<u64> = (1..=last).rev().collect();
        assert!(asked.ends_with(&down), "{rows} rows: {asked:?}");
        let mut ids = talk.ids();
        assert_eq!((ids.len(), completeness(&talk)), (rows as usize, Completeness::Unannounced), "{rows} rows");
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), rows as usize);
    }
}

#[test]
fn has_next_counts_in_any_shape_and_a_full_page_where_there_is_none() {
    let shapes: [fn(bool) -> Value; 5] = [
        |more| json!(more),
        |more| json!(more.to_string()),
        |more| json!(u8::from(more)),
        |more| json!(u8::from(more).to_string()),
        |_| Value::Null,
    ];
    for shape in shapes {
        for rows in [1, 2, 4, 5, 6] {
            let talk = pull(vendor((1..=rows).collect(), |_, _, more| json!({ "has_next": shape(more) }), still));
            let mut ids = talk.ids();
            ids.sort_unstable();
            assert_eq!(ids, (1..=u64::from(rows)).collect::<Vec<_>>(), "{} {rows}", shape(true));
            assert_eq!(completeness(&talk), Completeness::Unannounced);
        }
    }
    // Full is a page of the size that is asked for: a parameter may ask for another one than the window's.
    let small = jushuitan(&source(&[("page_size", ParamValue::Integer(1))]));
    let talk = talk_about(&small, &window(Axis::Modified), |request| {
        let biz = biz(request);
        assert_eq!(biz["page_size"], 1);
        let index = u32::try_from(biz["page_index"].as_u64().expect("a number")).expect("small");
        page(json!({}), if index <= 3 { std::slice::from_ref(&index) } else { &[] })
    });
    assert_eq!((talk.ids(), talk.unsettled.as_deref()), (vec![3, 2, 1], None));
    // A vendor that says "more" of every full page.
    for paging in [recorded, declared] {
        let talk = pull(vendor(
            (1..=6).collect(),
            |i, n, more| {
                let mut paging = paging(i, n, more);
                paging["has_next"] = json!(i <= 3);
                paging
            },
            still,
        ));
        assert_eq!((talk.ids().len(), talk.unsettled), (6, None));
    }
}

#[test]
fn totals_that_deny_what_came_with_them_are_none() {
    for lie in [json!(0), json!(2), json!(-1), Value::Null] {
        let paging =
            |index, _, more| json!({ "page_index": index, "has_next": more, "data_count": lie, "page_count": 0 });
        let talk = pull(vendor((1..=5).collect(), paging, still));
        assert_eq!((talk.ids().len(), talk.total, completeness(&talk)), (5, None, Completeness::Unannounced), "{lie}");
    }
    let more_than_there_are = |index, _, more| json!({ "page_index": index, "has_next": more, "data_count": 9 });
    let talk = pull(vendor((1..=5).collect(), more_than_there_are, still));
    assert!(matches!(completeness(&talk), Completeness::Unstable { .. }), "{:?}", talk.ids());
}

#[test]
fn rows_that_move_are_noticed_whenever_they_move() {
    type Move = fn(&mut Vec<u32>);
    let moves: [(&str, Move); 5] = [
        ("the first row leaves", |rows| drop(rows.drain(0..1))),
        ("a row in the middle leaves", |rows| drop(rows.drain(4..5))),
        ("the first row goes to the end", |rows| {
            let row = rows.remove(0);
            rows.push(row + 100);
        }),
        ("a row comes in front", |rows| rows.insert(0, 99)),
        ("a whole page of rows leaves", |rows| drop(rows.drain(0..2))),
    ];
    for (name, change) in moves {
        for (kind, paging) in [("recorded", recorded as fn(usize, usize, bool) -> Value), ("declared", declared)] {
            // As many calls as a pull takes on which nothing moves.
            let calls = pull(vendor((1..=9).collect(), paging, still)).asked().len();
            for at in 1..calls {
                let move_once = |call, rows: &mut Vec<u32>| {
                    if call == at {
                        change(rows);
                    }
                };
                let talk = pull(vendor((1..=9).collect(), paging, move_once));
                talk.end.as_ref().expect("no error");
                if matches!(completeness(&talk), Completeness::Unstable { .. }) {
                    continue;
                }
                // Not noticed: then what was pulled is what stands there now, or stood there before, as a whole.
                let mut ids = talk.ids();
                ids.sort_unstable();
                let before: Vec<u64> = (1..=9).collect();
                let mut after: Vec<u32> = (1..=9).collect();
                change(&mut after);
                after.sort_unstable();
                let after: Vec<u64> = after.into_iter().map(u64::from).collect();
                assert!(ids == before || ids == after, "{name}, {kind}, at call {at}: {ids:?} of {after:?}");
            }
        }
    }
}

#[test]
fn a_repeated_page_is_asked_again_and_then_ends_the_pull_as_unsettled() {
    // The vendor's cache gives the page before once more.
    let cached = |times: usize| {
        let mut pages = vendor((1..=7).collect(), declared, still);
        let (mut last, mut left) = (None::<Reply>, times);
        move |request: &Request| {
            if biz(request)["page_index"] == 2 && left > 0 {
                left -= 1;
                return last.clone().expect("a page before");
            }
            let reply = pages(request);
            last = Some(reply.clone());
            reply
        }
    };
    let cured = pull(cached(2));
    assert_eq!((cured.ids().len(), cured.again.len(), completeness(&cured)), (7, 2, Completeness::Whole));
    assert_eq!(cured.again[0].1, "page 3 came where page 2 was asked for");
    let stuck = pull(cached(9));
    assert_eq!((stuck.end.is_ok(), stuck.again.len()), (true, 2));
    assert!(stuck.unsettled.is_some_and(|why| why.contains("page 3 came")));
    // A vendor that ignores the position, and does not say so.
    let ignoring = pull(|_: &Request| page(json!({ "has_next": true }), &[1, 2]));
    assert_eq!(ignoring.unsettled.as_deref(), Some("page 2 repeats page 1"));
}

#[test]
fn the_last_page_of_another_window_is_believed_only_when_it_comes_twice() {
    let source = plain();
    let one = |id| page(json!({ "has_next": false }), &[id]);
    assert_eq!(talk_with(&source, vec![one(1)]).ids(), [1]);
    let cured = talk_with(&source, vec![one(1), one(2)]);
    assert_eq!((cured.ids(), cured.again.len()), (vec![2], 1));
    let overlapping = talk_with(&source, vec![one(2), one(2)]);
    assert_eq!((overlapping.ids(), overlapping.again.len()), (vec![2], 1));
}

#[test]
fn an_endless_pager_is_stopped() {
    // 20 pages are allowed.
    let whole = pull(vendor((1..=40).collect(), recorded, still));
    assert_eq!((whole.end.is_ok(), whole.ids().len()), (true, 40));
    for paging in [recorded, declared] {
        let talk = pull(vendor((1..=41).collect(), paging, still));
        assert_eq!((talk.error().kind(), talk.pages.len()), (Kind::Protocol, 0));
        assert!(talk.error().to_string().contains("endless pager"), "{}", talk.error());
        assert!(talk.error().cure().is_some_and(|c| c.contains("source.limits.max_pages")));
    }
}

#[test]
fn a_vendor_with_smaller_pages_than_asked_for_is_followed() {
    let mut source = source(&[]);
    source.window.page_size = 50;
    let source = jushuitan(&source);
    let paging =
        |index, rows: usize, more| json!({ "page_index": index, "page_size": 2, "has_next": more, "data_count": rows });
    let talk = talk_about(&source, &window(Axis::Modified), vendor((1..=7).collect(), paging, still));
    assert_eq!((talk.asked(), completeness(&talk)), (vec![1, 4, 3, 2, 1], Completeness::Whole));
}
