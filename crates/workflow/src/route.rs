//! Which steps come next, once the conditions are known (spec 3.4).

use serde_json::Value;

use crate::graph::{Landing, Routes, Target};

/// The conditions to evaluate, in the order written.
pub fn conditions(routes: &Routes) -> impl Iterator<Item = &Value> {
    let map = match routes {
        Routes::Select(map) => map.as_slice(),
        Routes::None | Routes::Next(_) => &[],
    };
    map.iter().map(|(condition, _)| condition).filter(|condition| !condition.is_null())
}

/// The targets that exist; `truths` answers [`conditions`] one by one. Every true condition selects its
/// target; the `null` ones are selected together when none was true.
pub fn select(routes: &Routes, truths: &[bool]) -> Vec<Landing> {
    selected(routes, truths).into_iter().flatten().collect()
}

/// Whether a selected target does not exist (X10): worth a warning to the operator.
pub fn selects_missing(routes: &Routes, truths: &[bool]) -> bool {
    selected(routes, truths).contains(&None)
}

fn selected(routes: &Routes, truths: &[bool]) -> Vec<Target> {
    match routes {
        Routes::None => Vec::new(),
        Routes::Next(target) => vec![*target],
        Routes::Select(map) => {
            let any = truths.contains(&true);
            let mut truths = truths.iter().copied();
            map.iter()
                .filter(
                    |(condition, _)| {
                        if condition.is_null() { !any } else { truths.next().unwrap_or(false) }
                    },
                )
                .map(|(_, target)| *target)
                .collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Graph;

    fn selected(map: &Value, truths: &[bool]) -> Vec<usize> {
        let graph = Graph::new(&json!([
            {"id": "s", "stepType": "Branch", "selectNextStep": map, "nextStepId": "c"},
            {"id": "a"}, {"id": "b"}, {"id": "c"},
        ]));
        select(&graph.steps[0].routes, truths).into_iter().map(|landing| landing.step).collect()
    }

    #[test]
    fn c_134_every_true_condition_selects_its_target_in_the_order_written() {
        assert_eq!(selected(&json!({"b": "{{1}}", "a": "{{2}}", "c": null}), &[true, true]), [2, 1]);
    }

    #[test]
    fn c_135_null_is_chosen_only_when_no_condition_is_true() {
        let map = json!({"a": null, "b": "{{x}}", "c": null});
        assert_eq!(selected(&map, &[false]), [1, 3]);
        assert_eq!(selected(&map, &[true]), [2]);
    }

    #[test]
    fn c_136_no_true_condition_and_no_null_selects_nothing() {
        assert!(selected(&json!({"a": "{{x}}"}), &[false]).is_empty());
    }

    #[test]
    fn c_141_a_missing_target_is_left_out() {
        assert!(selected(&json!({"nowhere": "{{x}}"}), &[true]).is_empty());
        let graph = Graph::new(&json!([{"id": "s", "nextStepId": "nowhere"}]));
        assert!(selects_missing(&graph.steps[0].routes, &[]));
    }

    #[test]
    fn c_142_next_step_id_counts_only_without_select_next_step() {
        assert_eq!(selected(&json!({}), &[]), [3]);
        assert!(selected(&json!({"a": "{{x}}"}), &[false]).is_empty());
    }
}
