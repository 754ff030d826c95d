//! Tells which scripts could change the values that they look at (`data.list.sort()`). After such a script
//! the sandbox reads the values anew for the next one; saying so needlessly only costs that.

/// Methods that change nothing but what they make themselves. Sorted.
const HARMLESS_METHODS: [&str; 85] = [
    "abs",
    "at",
    "ceil",
    "charAt",
    "charCodeAt",
    "codePointAt",
    "concat",
    "endsWith",
    "entries",
    "every",
    "exec",
    "filter",
    "find",
    "findIndex",
    "findLast",
    "findLastIndex",
    "flat",
    "flatMap",
    "floor",
    "forEach",
    "from",
    "fromCharCode",
    "fromCodePoint",
    "fromEntries",
    "getDate",
    "getDay",
    "getFullYear",
    "getHours",
    "getMinutes",
    "getMonth",
    "getSeconds",
    "getTime",
    "getUTCDate",
    "getUTCDay",
    "getUTCFullYear",
    "getUTCHours",
    "getUTCMinutes",
    "hasOwn",
    "includes",
    "indexOf",
    "isArray",
    "isFinite",
    "isInteger",
    "isNaN",
    "join",
    "keys",
    "lastIndexOf",
    "localeCompare",
    "map",
    "match",
    "matchAll",
    "max",
    "min",
    "normalize",
    "now",
    "of",
    "padEnd",
    "padStart",
    "parse",
    "parseFloat",
    "parseInt",
    "pow",
    "random",
    "reduce",
    "reduceRight",
    "repeat",
    "replace",
    "replaceAll",
    "round",
    "search",
    "slice",
    "some",
    "split",
    "startsWith",
    "stringify",
    "substr",
    "substring",
    "test",
    "toFixed",
    "toISOString",
    "toLowerCase",
    "toString",
    "toUpperCase",
    "trim",
    "values",
];

/// Members that lead to functions which change things, called or handed on. Sorted.
const RISKY_MEMBERS: [&str; 27] = [
    "__defineGetter__",
    "__defineSetter__",
    "__proto__",
    "add",
    "apply",
    "assign",
    "bind",
    "call",
    "clear",
    "constructor",
    "copyWithin",
    "defineProperties",
    "defineProperty",
    "delete",
    "fill",
    "freeze",
    "pop",
    "preventExtensions",
    "push",
    "reverse",
    "seal",
    "set",
    "setPrototypeOf",
    "shift",
    "sort",
    "splice",
    "unshift",
];

pub(super) fn is_harmless_method(name: &str) -> bool {
    HARMLESS_METHODS.binary_search(&name).is_ok()
}

pub(super) fn is_risky_member(name: &str) -> bool {
    RISKY_MEMBERS.binary_search(&name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_and_disjoint() {
        assert!(HARMLESS_METHODS.is_sorted() && RISKY_MEMBERS.is_sorted());
        assert!(!HARMLESS_METHODS.iter().any(|name| is_risky_member(name)));
    }
}
