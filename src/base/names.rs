//! Names: the nearest right one for a wrong one.

/// The candidate most like `wrong`, if it is like enough to be worth naming. Letter case weighs little.
pub fn nearest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = wrong.to_lowercase();
    let mut best: Option<(&str, f64)> = None;
    for candidate in candidates {
        let likeness = strsim::jaro_winkler(&folded, &candidate.to_lowercase());
        if likeness >= 0.75 && best.is_none_or(|(_, b)| likeness > b) {
            best = Some((candidate, likeness));
        }
    }
    best.map(|(name, _)| name)
}

/// `did you mean …?` for a wrong name, or the list of right ones.
pub fn suggest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(wrong, candidates.clone()) {
        Some(name) => format!("did you mean {name}?"),
        None => {
            let all: Vec<&str> = candidates.into_iter().collect();
            format!("known here: {}", all.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_named_and_a_far_one_is_not() {
        let known = ["tradeNo", "tradeType", "shopName"];
        assert_eq!(nearest("tradeno", known), Some("tradeNo"));
        assert_eq!(nearest("trade_no", known), Some("tradeNo"));
        assert_eq!(nearest("xyz", known), None);
        assert_eq!(suggest("xyz", known), "known here: tradeNo, tradeType, shopName");
    }
}
