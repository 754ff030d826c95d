//! What the free names of a script mean.

use crate::functions::Helper;

/// The meaning of a name that no arrow function binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    Data,
    Step,
    Helper(Helper),
    Builtin,
    Forbidden,
    /// Any other name is a member of `data`.
    Member,
}

/// The globals of JavaScript that scripts have; the sandbox removes all others. Sorted.
pub(crate) const BUILTINS: [&str; 32] = [
    "Array",
    "BigInt",
    "Boolean",
    "Date",
    "Error",
    "Infinity",
    "JSON",
    "Map",
    "Math",
    "NaN",
    "Number",
    "Object",
    "RangeError",
    "RegExp",
    "Set",
    "String",
    "Symbol",
    "SyntaxError",
    "TypeError",
    "URIError",
    "WeakMap",
    "WeakSet",
    "decodeURI",
    "decodeURIComponent",
    "encodeURI",
    "encodeURIComponent",
    "escape",
    "isFinite",
    "isNaN",
    "parseFloat",
    "parseInt",
    "undefined",
];

pub(crate) fn resolve_name(name: &str) -> Name {
    if let Some(helper) = Helper::named(name) {
        return Name::Helper(helper);
    }
    match name {
        "data" => Name::Data,
        "step" => Name::Step,
        "eval" | "Function" => Name::Forbidden,
        _ if BUILTINS.binary_search(&name).is_ok() => Name::Builtin,
        _ => Name::Member,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_what_they_say() {
        assert!(BUILTINS.is_sorted());
        assert_eq!(resolve_name("data"), Name::Data);
        assert_eq!(resolve_name("JSON"), Name::Builtin);
        assert_eq!(resolve_name("IsDayOfWeek"), Name::Helper(Helper::IsDayOfWeek));
        assert_eq!(resolve_name("eval"), Name::Forbidden);
        assert_eq!(resolve_name("globalThis"), Name::Member);
        assert_eq!(resolve_name("http_request_response_code"), Name::Member);
    }
}
