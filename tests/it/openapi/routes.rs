//! Method and path of every route, as the sources of the API make them.

use std::collections::BTreeSet;
use std::path::Path;

use crate::architecture::sources;

/// Each is served with a slash at its end, too: what `mount` in `nexmo/routes.rs` does with what it was given.
const BY_MOUNT: [&str; 2] = ["path, methods.clone()", "&format!(\"{path}/\"), methods"];

/// Other ways to serve something, which nobody here would find.
const NOT_READ: [&str; 6] =
    [".nest(", ".nest_service(", ".route_service(", ".fallback_service(", ".routes(", "Router::route("];

/// Of all files: a route that is not understood is a failure, not a gap.
pub fn routes() -> BTreeSet<(String, String)> {
    let mut routes = BTreeSet::new();
    let mut mounts = 0;
    for (file, text) in sources("src/api") {
        let code = without_tests(&text);
        for maker in NOT_READ {
            assert!(!code.contains(maker), "{}: `{maker}`", file.display());
        }
        for merged in calls(&code, ".merge(") {
            assert_eq!(merged, "nexmo::routes()", "{}", file.display());
        }
        let is_mount =
            |arguments: &&str| file.ends_with(Path::new("nexmo/routes.rs")) && BY_MOUNT.contains(arguments);
        let (by_mount, by_route): (Vec<&str>, Vec<&str>) = calls(&code, ".route(").partition(is_mount);
        mounts += by_mount.len();
        let mounted = calls(&code, "mount(").filter(|arguments| !arguments.starts_with("routes: Router"));
        let mounted = mounted.map(|arguments| &arguments[arguments.find('"').unwrap_or(0)..]);
        for arguments in by_route.into_iter().chain(mounted) {
            let found = read(arguments)
                .unwrap_or_else(|| panic!("{}: `{arguments}` is not understood", file.display()));
            for route in found {
                assert!(routes.insert(route.clone()), "{route:?} twice");
            }
        }
    }
    assert_eq!(mounts, BY_MOUNT.len(), "`mount` has changed");
    routes
}

/// Tests name paths that are not served, and so may comments.
fn without_tests(text: &str) -> String {
    let code = text.split("#[cfg(test)]").next().unwrap();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// What each of these calls is given.
fn calls<'a>(code: &'a str, call: &'a str) -> impl Iterator<Item = &'a str> {
    code.match_indices(call).map(move |(at, _)| arguments(&code[at + call.len()..]))
}

/// Up to the parenthesis that closes the one before.
fn arguments(code: &str) -> &str {
    let (mut open, mut is_text) = (1, false);
    for (at, character) in code.char_indices() {
        match character {
            '"' => is_text = !is_text,
            '(' if !is_text => open += 1,
            ')' if !is_text => open -= 1,
            _ => {}
        }
        if open == 0 {
            return code[..at].trim();
        }
    }
    panic!("it does not end: {code}");
}

/// `"/path", get(list::list).post(create::create)`
fn read(arguments: &str) -> Option<Vec<(String, String)>> {
    let (path, methods) = arguments.trim().strip_prefix('"')?.split_once("\",")?;
    let methods: String = methods.split_whitespace().collect();
    methods
        .trim_end_matches(',')
        .strip_suffix(')')?
        .split(").")
        .map(|method| {
            let (method, handler) = method.split_once('(')?;
            let is_path = handler.chars().all(|c| c.is_ascii_alphanumeric() || "_:".contains(c));
            let is_known = ["get", "post", "put", "patch", "delete"].contains(&method);
            (is_path && is_known).then(|| (method.to_uppercase(), path.to_owned()))
        })
        .collect()
}
