//! What PostgreSQL says of how it goes about a statement (`explain (format json)`).

use serde_json::Value;

/// A scan of a table, and the index that it goes by.
pub fn scans(plan: &Value, found: &mut Vec<(String, String, Option<String>)>) {
    if let Some(relation) = plan["Relation Name"].as_str() {
        // A bitmap's index is named by the scan below.
        let index = plan["Index Name"].as_str().or_else(|| plan["Plans"][0]["Index Name"].as_str());
        let index = index.map(str::to_owned);
        found.push((plan["Node Type"].as_str().unwrap().to_owned(), relation.to_owned(), index));
    }
    for below in plan["Plans"].as_array().into_iter().flatten() {
        scans(below, found);
    }
}

/// Scans of a whole index, which is a whole table: they are asked for nothing.
pub fn scans_of_all(plan: &Value, found: &mut Vec<String>) {
    let node = plan["Node Type"].as_str().unwrap();
    let by_index = ["Index Scan", "Index Only Scan", "Bitmap Index Scan"].contains(&node);
    if by_index && plan["Index Cond"].is_null() {
        found.push(format!("{node} of {}", plan["Index Name"]));
    }
    for below in plan["Plans"].as_array().into_iter().flatten() {
        scans_of_all(below, found);
    }
}

/// The types of all nodes.
pub fn nodes(plan: &Value, found: &mut Vec<String>) {
    found.push(plan["Node Type"].as_str().unwrap().to_owned());
    for below in plan["Plans"].as_array().into_iter().flatten() {
        nodes(below, found);
    }
}
