//! Inputs: what strings with scripts become (spec 4.2, 4.3).

use serde_json::{Value, json};

use crate::support::Both;

const FAULT: &str = "Failed to evaluate the expression. Error: ";

#[tokio::test]
async fn c_195_a_string_without_braces_is_passed_through() {
    let both = Both::new();
    for text in ["plain", "", "a {b} c", "open {{ data.x", "}}", "step.reply"] {
        assert_eq!(both.input(json!(text), json!({"x": 1})).await, Ok(json!(text)));
    }
}

#[tokio::test]
async fn c_196_a_whole_script_keeps_the_type_of_its_value() {
    let both = Both::new();
    let data = json!({"payload": {"a": [1, 2.5, "x", null, {"b": true}]}, "n": 7, "t": "text", "no": false});
    assert_eq!(both.input(json!("{{data.payload}}"), data.clone()).await, Ok(data["payload"].clone()));
    for name in ["n", "t", "no"] {
        assert_eq!(
            both.input(json!(format!(" {{{{ data.{name} }}}}\n")), data.clone()).await,
            Ok(data[name].clone())
        );
    }
}

#[tokio::test]
async fn c_197_numbers_are_numbers_alone_and_texts_in_texts() {
    let both = Both::new();
    assert_eq!(both.input(json!("{{1 + 1}}"), json!({})).await, Ok(json!(2)));
    assert_eq!(both.input(json!("n={{1 + 1}}"), json!({})).await, Ok(json!("n=2")));
    assert_eq!(both.input(json!("{{1 + 1}}{{1.5}}"), json!({})).await, Ok(json!("21.5")));
}

#[tokio::test]
async fn c_198_interpolation_is_concatenation() {
    let both = Both::new();
    for umid in [json!("abc"), json!(12.5), json!(true)] {
        let data = json!({"umid": umid});
        let one = both.input(json!("umid: {{data.umid}}"), data.clone()).await.unwrap();
        let other = both.input(json!("{{'umid: ' + data.umid}}"), data).await.unwrap();
        assert_eq!(one, other);
        assert!(one.as_str().unwrap().starts_with("umid: "));
    }
}

#[tokio::test]
async fn c_199_a_missing_value_is_null_alone_and_nothing_in_a_text() {
    let both = Both::new();
    let data = json!({"null": null});
    for script in ["data.nothing", "data.null", "undefined", "nothing"] {
        assert_eq!(both.script(script, data.clone()).await, Ok(Value::Null));
        assert_eq!(both.input(json!(format!("<{{{{{script}}}}}>")), data.clone()).await, Ok(json!("<>")));
    }
}

#[tokio::test]
async fn c_200_members_are_reached_by_name_and_index() {
    let both = Both::new();
    let data = json!({"a": {"b": 1}, "list": ["first", "second"], "i": 1, "key": "b"});
    for (script, expected) in [
        ("data['a']['b']", json!(1)),
        ("data.a[data.key]", json!(1)),
        ("data.list[0]", json!("first")),
        ("data.list[data.i]", json!("second")),
        ("data.list[2]", json!(null)),
        ("data.list[-1]", json!(null)),
        ("data.list['1']", json!("second")),
        ("data.list.length", json!(2)),
        ("data.list[0].length", json!(5)),
        ("data.list[0][0]", json!("f")),
    ] {
        assert_eq!(both.script(script, data.clone()).await, Ok(expected), "{script}");
    }
}

#[tokio::test]
async fn c_201_a_member_of_a_missing_member_is_null() {
    let both = Both::new();
    for script in
        ["data.none.deeper.still", "data.none[0].x['y']", "step.reply.payload.content.text", "none.x.y"]
    {
        assert_eq!(both.script(script, json!({})).await, Ok(Value::Null), "{script}");
    }
}

#[tokio::test]
async fn c_202_a_method_of_a_missing_value_is_null() {
    let both = Both::new();
    for script in
        ["data.none.trim()", "data.none.trim().length", "none.map(x => x.id).join(',')", "data.a.b.c(1)"]
    {
        assert_eq!(both.script(script, json!({"a": null})).await, Ok(Value::Null), "{script}");
    }
}

#[tokio::test]
async fn c_203_calling_what_is_no_function_is_a_fault() {
    let both = Both::new();
    let data = json!({"payload": {"x": 1}, "x": 1});
    for script in
        ["noSuchFunction(1)", "lookup(data.x)", "data.payload.noSuchMethod()", "data.payload.x()", "(1)()"]
    {
        let fault = both.script(script, data.clone()).await.unwrap_err();
        assert_eq!(fault, format!("{FAULT}not a function, in `{{{{{script}}}}}`."));
    }
}

/// Whoever reads of a fault learns which of a step's scripts it is about.
#[tokio::test]
async fn a_fault_repeats_the_text_whose_script_is_at_fault() {
    let both = Both::new();
    let long = format!("{}{{{{data.x()}}}}", "é".repeat(300));
    let cut = "é".repeat(200) + "…";
    for (input, shown) in [
        (
            json!({"a": "{{data.x}}", "b": ["{{[].map(i => i)}}", "Hi {{data.x()}}!", "{{data.y()}}"]}),
            "Hi {{data.x()}}!",
        ),
        (json!(["{{isDayOfWeek('x', 'y')}}", "{{data.x()}}"]), "{{isDayOfWeek('x', 'y')}}"),
        (json!(long), cut.as_str()),
    ] {
        let fault = both.input(input, json!({"x": 1, "y": 1})).await.unwrap_err();
        assert!(fault.ends_with(&format!(", in `{shown}`.")), "{fault}");
    }
}

#[tokio::test]
async fn c_205_a_bare_name_is_a_member_of_data() {
    let both = Both::new();
    let data = json!({"http_request_response_code": 200, "name": {"first": "Ada"}, "status": "ok"});
    for (script, expected) in [
        ("http_request_response_code", json!(200)),
        ("name.first", json!("Ada")),
        ("status == 'ok' && http_request_response_code", json!(200)),
        ("globalThis", json!(null)),
        ("Function_", json!(null)),
        ("typeof nothing", json!("undefined")),
    ] {
        assert_eq!(both.script(script, data.clone()).await, Ok(expected), "{script}");
    }
}

#[tokio::test]
async fn c_206_nested_strings_are_evaluated_and_keys_are_not() {
    let both = Both::new();
    let input = json!({
        "{{data.x}}": ["{{data.x}}", {"deep": ["x={{data.x}}", 1, null, true]}],
        "plain": "text",
        "list": "{{data.list.map(i => i + 1)}}",
    });
    let expected = json!({
        "{{data.x}}": [5, {"deep": ["x=5", 1, null, true]}],
        "plain": "text",
        "list": [2, 3],
    });
    let value = both.input(input, json!({"x": 5, "list": [1, 2]})).await.unwrap();
    assert_eq!(value, expected);
    assert_eq!(value.to_string(), expected.to_string(), "keys keep their order");
}

#[tokio::test]
async fn c_207_braces_of_the_script_are_part_of_it() {
    let both = Both::new();
    assert_eq!(both.input(json!("{{ {a: {b: 1}}.a.b }}"), json!({})).await, Ok(json!(1)));
    assert_eq!(both.input(json!("{{'}}'}}"), json!({})).await, Ok(json!("}}")));
    assert_eq!(both.input(json!("a{{`}}${'{{'}`}}b"), json!({})).await, Ok(json!("a}}{{b")));
}

#[tokio::test]
async fn c_208_callbacks_work() {
    let both = Both::new();
    let data = json!({"list": [{"id": 3}, {"id": 1}, {}], "by": {"a": 1, "b": 2}});
    for (script, expected) in [
        ("data.list.map(i => i.id).join(',')", json!("3,1,")),
        ("data.list.filter(i => i.id).map(({id}) => id)", json!([3, 1])),
        ("data.list.reduce((sum, i) => sum + (i.id ?? 0), 0)", json!(4)),
        ("Object.entries(data.by).map(([k, v]) => k + v)", json!(["a1", "b2"])),
        (
            "data.list.map(i => { if (i.id > 1) { return 'big' } return 'small' })",
            json!(["big", "small", "small"]),
        ),
        ("data.list.sort((a, b) => (a.id ?? 0) - (b.id ?? 0))[1].id", json!(1)),
        ("JSON.parse(JSON.stringify(data.by)).b", json!(2)),
        ("'a-b'.split('-').reverse().join('')", json!("ba")),
        ("/(\\d+)/.exec('ab12')[1]", json!("12")),
        (
            "Object.assign({}, data.by, {constructor: 1, toString: 2})",
            json!({"a": 1, "b": 2, "constructor": 1, "toString": 2}),
        ),
    ] {
        assert_eq!(both.script(script, data.clone()).await, Ok(expected), "{script}");
    }
}

#[tokio::test]
async fn values_are_converted_into_text() {
    let both = Both::new();
    let data = json!({"o": {"b": [1, "é\n", null], "2": 1.0}, "s": "s"});
    for (script, expected) in [
        ("data.o", r#"{"2":1,"b":[1,"é\n",null]}"#),
        ("data.o.b", r#"[1,"é\n",null]"#),
        ("1e21", "1e+21"),
        ("-0", "0"),
        ("0 / 0", "NaN"),
        ("1 / 0", "Infinity"),
        ("10n ** 20n", "100000000000000000000"),
        ("'\\ud83d'", "\u{fffd}"),
        ("data.s", "s"),
        ("false", "false"),
    ] {
        assert_eq!(
            both.input(json!(format!("<{{{{{script}}}}}>")), data.clone()).await,
            Ok(json!(format!("<{expected}>"))),
            "{script}"
        );
    }
}

#[tokio::test]
async fn values_are_converted_into_json() {
    let both = Both::new();
    for (script, expected) in [
        ("[undefined, 0 / 0, 1 / 0, -0]", json!([null, null, null, 0])),
        ("0 / 0", json!(null)),
        ("1e300 * 1e10", json!(null)),
        ("1.0", json!(1)),
        ("2 ** 53", json!(9_007_199_254_740_992_i64)),
        ("1e21", json!(1e21)),
        ("'\\ud83d'", json!("\u{fffd}")),
        ("['\\ud83d', '\\\\ud83d', '\\ud83d\\ude00']", json!(["\u{fffd}", "\\ud83d", "😀"])),
        ("Object('x')", json!("x")),
        ("{a: undefined, b: 1}", json!({"b": 1})),
        ("'\\u0000\\u2028'", json!("\u{0}\u{2028}")),
    ] {
        assert_eq!(both.script(script, json!({})).await, Ok(expected), "{script}");
    }
    for script in ["x => x", "Symbol('x')", "10n", "uuid", "Math.max", "Date"] {
        assert!(both.script(script, json!({})).await.unwrap_err().starts_with(FAULT), "{script}");
    }
}

#[tokio::test]
async fn large_numbers_are_what_javascript_makes_of_them() {
    let both = Both::new();
    let data = json!({"n": 12_345_678_901_234_567_890_u64, "o": {"n": 9_007_199_254_740_993_i64}});
    assert_eq!(both.script("data.n", data.clone()).await.unwrap().to_string(), "12345678901234567000");
    assert_eq!(both.script("data.o", data).await.unwrap().to_string(), r#"{"n":9007199254740992}"#);
}

#[tokio::test]
async fn members_that_javascript_has_everywhere_are_javascripts() {
    let both = Both::new();
    let data = json!({"o": {"toString": "own", "__proto__x": 1}, "list": [1], "s": "text"});
    for (script, expected) in [
        ("data.o.toString", json!("own")),
        ("data.o.valueOf === data.valueOf", json!(true)),
        ("typeof data.list.map", json!("function")),
        ("data.list.constructor === Array", json!(true)),
        ("data.s.at(-1)", json!("t")),
        ("data.o.hasOwnProperty('toString')", json!(true)),
        ("data.o.__proto__ === data.__proto__", json!(true)),
    ] {
        assert_eq!(both.script(script, data.clone()).await, Ok(expected), "{script}");
    }
    assert!(both.script("data.list.map", data).await.is_err());
}

#[tokio::test]
async fn time_is_utc() {
    let both = Both::new();
    assert_eq!(
        both.script("Date.parse('2026-03-02T01:00:00')", json!({})).await,
        Ok(json!(1_772_413_200_000_i64))
    );
    assert_eq!(both.script("Date(0).includes('GMT+0000')", json!({})).await, Ok(json!(true)));
    assert_eq!(
        both.script("Math.abs(Date.now() - Date.parse(Date())) < 60000", json!({})).await,
        Ok(json!(true))
    );
}
