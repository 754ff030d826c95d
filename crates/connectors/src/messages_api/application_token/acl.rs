//! The `acl` claim of a token: globs, one of which the path must match.

use serde_json::Value;

/// Any number of segments, none as well.
const MANY: &str = "**";
/// One segment, whatever it is.
const ONE: &str = "*";

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Acl(Vec<String>);

impl Acl {
    /// `None`: it is none.
    pub(super) fn read(claim: &Value) -> Option<Self> {
        let paths = claim.as_object()?.get("paths")?.as_object()?;
        Some(Self(paths.keys().cloned().collect()))
    }

    pub(super) fn covers(&self, path: &str) -> bool {
        let path = segments(path);
        self.0.iter().any(|glob| matches(&segments(glob), &path))
    }
}

/// A slash at the end does not make another path.
fn segments(path: &str) -> Vec<&str> {
    path.split('/').filter(|segment| !segment.is_empty()).collect()
}

/// Goes back to the last `**` alone, so that no glob takes longer than its length times the path's.
fn matches(glob: &[&str], path: &[&str]) -> bool {
    let (mut g, mut p) = (0, 0);
    // Behind the last `**`, and the first segment that it did not swallow yet.
    let mut last = None;
    while p < path.len() {
        match glob.get(g) {
            Some(&MANY) => {
                g += 1;
                last = Some((g, p));
            }
            Some(segment) if *segment == ONE || *segment == path[p] => {
                g += 1;
                p += 1;
            }
            _ => {
                let Some((behind, swallowed)) = last else { return false };
                last = Some((behind, swallowed + 1));
                (g, p) = (behind, swallowed + 1);
            }
        }
    }
    glob[g..].iter().all(|segment| *segment == MANY)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn n_026_a_star_is_one_segment_and_two_are_any_number() {
        for (glob, path, covered) in [
            ("/*/users/**", "/v0.1/dispatch", false),
            ("/*/dispatch/**", "/v0.1/dispatch", true),
            ("/*/dispatch/**", "/v0.1/dispatch/", true),
            ("/*/dispatch/**", "/beta/workflows", false),
            ("/*/dispatch", "/v0.1/dispatch", true),
            ("/*", "/v0.1/dispatch", false),
            ("/**", "/v0.1/dispatch", true),
            ("**", "/v0.1/dispatch", true),
            ("/v0.1/dispatch", "/v0.1/dispatch", true),
            ("/v0.1/dispatch/*", "/v0.1/dispatch", false),
            ("/V0.1/dispatch", "/v0.1/dispatch", false),
            ("/v0.*/dispatch", "/v0.1/dispatch", false),
            ("/**/dispatch/**", "/a/b/dispatch", true),
            ("/**/a/**/b", "/x/a/a/y/b", true),
            ("/**/a/**/b", "/x/a/a/y/c", false),
            ("", "/v0.1/dispatch", false),
        ] {
            let acl = Acl::read(&json!({"paths": {glob: {}, "/elsewhere": {}}})).unwrap();
            assert_eq!(acl.covers(path), covered, "{glob} {path}");
        }
        let none = Acl::read(&json!({"paths": {}})).unwrap();
        assert!(!none.covers("/v0.1/dispatch"));
    }

    #[test]
    fn what_is_no_acl_is_not_taken_for_one() {
        for claim in [json!(null), json!([]), json!({}), json!({"paths": ["/**"]}), json!("/**")] {
            assert_eq!(Acl::read(&claim), None, "{claim}");
        }
    }
}
