//! What helps against a document that was blocked before it was sent.
//!
//! Takes a reason that this layer gave, gives advice. A target's reasons are none of its business.

use super::contract::{EMPTY, NULL};
use super::documents::{REJECT, RID};
use crate::base::record::Reason;

/// What helps, by the reason's code; where one code says several things, by our own words behind it.
pub fn cure(reason: &Reason) -> Option<&'static str> {
    Some(match reason.code.as_str() {
        "contract" if reason.text == EMPTY => {
            "correct the record at its source, leave it out in the mapping (WHERE), or name the list in sink.allow_empty"
        }
        "contract" if reason.text.starts_with(NULL) => {
            "fill the field in the mapping (coalesce), or add the missing row to its look-up"
        }
        "contract" => {
            "shorten the text in the mapping (left), or widen the field in the contract if the target's is wider"
        }
        "lookup" => "add the row to the look-up's file, or give lookup a default as its fourth argument",
        "key" => "make _key in the mapping a text that every document has and no other one shares",
        REJECT => "the mapping's own rule (_reject) says so: correct the record at its source, or the rule",
        RID => "let _rid come from the driving table, as the left side of every outer join",
        "evaluation" => "guard the expression in the mapping: CASE WHEN, nullif(…, 0), or TRY_CAST",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_of_the_mapping_has_its_own_cure() {
        let cases = [
            ("contract", NULL, "fill the field"),
            ("contract", "is required, but null (look-ups without a row: shop: no row for c)", "look-up"),
            ("contract", EMPTY, "sink.allow_empty"),
            ("contract", "has 12 characters, at most 10 fit", "shorten"),
            ("lookup", "shop: no row for c", "look-up's file"),
            ("key", "the key is null: a document needs a business key", "_key"),
            ("_reject", "权限不存在 deadlock", "own rule"),
            ("_rid", "_rid is null", "_rid"),
            ("evaluation", "Divide by zero error", "nullif"),
        ];
        for (code, text, expected) in cases {
            let found = cure(&Reason::new(code, text));
            assert!(found.is_some_and(|cure| cure.contains(expected)), "{code} {text}: {found:?}");
        }
        assert_eq!(cure(&Reason::new("1299", "NOT NULL constraint failed")), None);
    }
}
