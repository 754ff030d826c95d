//! What migrations/README.md asks of a migration, as far as its text tells: read as statements, not as SQL. What is
//! refused here and right all the same is named with its reason in `ALLOWED`.

use std::collections::HashSet;

use super::MIGRATOR;

/// Version, and the beginning of a problem. All of them are older than the first release, or of tables of a few rows.
const ALLOWED: [(i64, &str); 7] = [
    (2, "`events`: alter column trigger drop not null"),
    // One row for each account.
    (3, "`accounts`: a check that is not `not valid`"),
    (9, "`webhook_settings`: a check that is not `not valid`"),
    (12, "`connectors`: a check that is not `not valid`"),
    // A table that the migration before has made.
    (21, "no `set local lock_timeout"),
    // Another index stands in for it; what asks by this one gets its answer, and waits for it.
    (44, "drop index instances_listed"),
    (47, "drop index waits_key"),
];

#[test]
fn a_migration_keeps_nobody_waiting_and_takes_nothing_away() {
    let (mut broken, mut unused) = (Vec::new(), HashSet::from(ALLOWED));
    for migration in MIGRATOR.iter() {
        for problem in problems(migration.sql.as_str(), migration.no_tx) {
            let allowed = ALLOWED
                .into_iter()
                .find(|(version, begins)| *version == migration.version && problem.starts_with(begins));
            match allowed {
                Some(allowed) => drop(unused.remove(&allowed)),
                None => broken.push(format!("{:04}: {problem}", migration.version)),
            }
        }
    }
    assert!(broken.is_empty() && unused.is_empty(), "{broken:#?} {unused:?}");
}

#[test]
fn the_rules_find_what_they_are_for() {
    let bound = "set local lock_timeout = '3s'; ";
    for (sql, problem) in [
        ("alter table jobs add column a text", "no `set local lock_timeout"),
        ("set local lock_timeout = '10s'; alter table jobs add column a text", "no `set local lock_timeout"),
        ("create table a (b text references jobs (id))", "no `set local lock_timeout"),
        ("drop table jobs", "no `set local lock_timeout"),
        (
            "-- begins with a word\nset local lock_timeout = '3s'; alter table jobs drop column a",
            "`jobs`: drop column",
        ),
        ("alter table jobs rename column a to b", "`jobs`: rename"),
        ("alter table jobs alter column a type bigint", "`jobs`: alter column a type"),
        ("alter table jobs alter column a set not null", "`jobs`: alter column a set not null"),
        ("alter table jobs add column a int not null", "`jobs`: a column that is `not null`"),
        ("alter table jobs add column a uuid default gen_random_uuid()", "`jobs`: a default that rewrites"),
        ("alter table jobs add constraint c check (a in (1, 2))", "`jobs`: a check that is not"),
        (
            "alter table jobs add constraint c check (a > 0) not valid; alter table jobs validate constraint c",
            "`jobs`: validate",
        ),
        ("create index i on jobs (a)", "`jobs`: an index that is not made concurrently"),
        ("create table a (b int); create index i on only jobs (a)", "no `set local lock_timeout"),
        ("drop index i", "no `set local lock_timeout"),
        ("drop table jobs", "drop table"),
        ("update jobs set a = 1", "`update`"),
        ("delete from jobs", "`delete`"),
    ] {
        let sql = if sql.contains("lock_timeout") || problem.starts_with("no ") {
            sql.to_owned()
        } else {
            format!("{bound}{sql}")
        };
        let found = problems(&sql, false);
        assert!(found.iter().any(|found| found.starts_with(problem)), "{sql}: {found:?}");
    }
    for (sql, no_tx) in [
        (
            "create table a (b int not null); create index i on a (b); insert into a values (1); alter table a add column c int not null",
            false,
        ),
        ("-- no-transaction\ncreate index concurrently if not exists i on jobs (a)", true),
        (
            "set local lock_timeout = '3s'; alter table jobs add column a text, add column b boolean not null default false, \
          drop constraint c, add constraint c check (a in ('b, c')) not valid",
            false,
        ),
        ("set local lock_timeout = '3s'; alter table jobs validate constraint c", false),
        ("set local lock_timeout = '3s'; create index i on only instances (a)", false),
        ("set local lock_timeout = '3s'; alter table jobs alter column a set storage main", false),
        (
            "create function f() returns int language plpgsql as $$ begin delete from jobs; return 1; end $$",
            false,
        ),
    ] {
        assert_eq!(problems(sql, no_tx), [""; 0], "{sql}");
    }
}

fn problems(sql: &str, no_tx: bool) -> Vec<String> {
    let statements = statements(sql);
    let made: HashSet<&str> =
        statements.iter().filter_map(|statement| table_after(statement, "create table ")).collect();
    let mut problems = Vec::new();
    let touches = |statement: &String| {
        let altered =
            table_after(statement, "alter table ").or_else(|| table_after(statement, "drop table "));
        let referenced =
            statement.split("references ").skip(1).filter_map(|rest| rest.split([' ', '(', ',']).next());
        let is_index = statement.starts_with("drop index ") || statement.contains(" on only ");
        is_index || altered.into_iter().chain(referenced).any(|table| !made.contains(table))
    };
    let is_bound = statements.first().is_some_and(|first| first == "set local lock_timeout = '3s'");
    if !no_tx && !is_bound && statements.iter().any(touches) {
        problems.push("no `set local lock_timeout = '3s'` before tables in use are touched".to_owned());
    }
    let mut added = HashSet::new();
    for statement in &statements {
        if let Some(table) = table_after(statement, "alter table ").filter(|table| !made.contains(table)) {
            let (_, actions) = statement.split_once(table).expect("it is there");
            for action in apart(actions, ',') {
                added.extend(
                    action
                        .strip_prefix("add constraint ")
                        .and_then(|rest| rest.split(' ').next())
                        .map(str::to_owned),
                );
                let told = alteration(&action, &added);
                problems.extend(told.map(|problem| format!("`{table}`: {problem}")));
            }
        }
        let is_index =
            statement.starts_with("create index ") || statement.starts_with("create unique index ");
        // On the partitioned table alone it is a matter of a moment (`super::index_partitions`).
        if is_index && !statement.contains(" concurrently ") && !statement.contains(" on only ") {
            let table = statement
                .split(" on ")
                .nth(1)
                .and_then(|rest| rest.split([' ', '(']).next())
                .unwrap_or_default();
            if !made.contains(table) {
                problems.push(format!("`{table}`: an index that is not made concurrently"));
            }
        }
        if statement.starts_with("drop ") {
            problems.push(format!("{statement}: what is there is somebody's"));
        }
        for word in ["update", "delete"] {
            if statement.starts_with(&format!("{word} ")) {
                problems.push(format!("`{word}`: data is moved by upkeep, in batches"));
            }
        }
    }
    problems
}

/// What is wrong with one part of an `alter table`.
fn alteration(action: &str, added: &HashSet<String>) -> Option<String> {
    let is = |words: &str| action.starts_with(words);
    let says = |words: &str| action.contains(words);
    if is("drop column") || is("rename") {
        return Some(format!("{action}: the program of before reads it"));
    }
    if is("alter column") && !says(" default") && !says(" set storage ") {
        return Some(format!("{action}: a look at, or a copy of, every row"));
    }
    if is("add column") && says(" not null") && !says(" default ") {
        return Some(format!("a column that is `not null` and has no default: {action}"));
    }
    if is("add column")
        && ["random", "clock_timestamp", "nextval", "generated", "serial"].iter().any(|word| says(word))
    {
        return Some(format!("a default that rewrites every row: {action}"));
    }
    if (is("add constraint") || is("add check") || is("add column"))
        && (says(" check ") || says(" references "))
        && !says("not valid")
    {
        return Some(format!("a check that is not `not valid`: {action}"));
    }
    if let Some(name) = action.strip_prefix("validate constraint ")
        && added.contains(name)
    {
        return Some(format!("{action}, which keeps everybody out here: in a later file it does not"));
    }
    None
}

fn table_after<'a>(statement: &'a str, words: &str) -> Option<&'a str> {
    let rest = statement.strip_prefix(words)?;
    let rest =
        rest.strip_prefix("if not exists ").or_else(|| rest.strip_prefix("if exists ")).unwrap_or(rest);
    rest.split([' ', '(']).next()
}

/// Lower case, without comments, with single spaces.
pub(super) fn statements(sql: &str) -> Vec<String> {
    let lines = sql.lines().map(|line| line.split("--").next().unwrap_or_default());
    let text = lines.collect::<Vec<_>>().join(" ").to_lowercase();
    apart(&text.split_whitespace().collect::<Vec<_>>().join(" "), ';')
}

/// At a sign that is in no text, no function's body and no parentheses.
fn apart(text: &str, sign: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let (mut depth, mut in_text, mut in_body) = (0_i32, false, false);
    let mut before = ' ';
    for c in text.chars() {
        match c {
            '$' if before == '$' && !in_text => in_body = !in_body,
            '\'' if !in_body => in_text = !in_text,
            '(' if !in_text && !in_body => depth += 1,
            ')' if !in_text && !in_body => depth -= 1,
            _ => {}
        }
        before = if c == '$' && before == '$' { ' ' } else { c };
        if c == sign && depth == 0 && !in_text && !in_body {
            parts.push(String::new());
        } else {
            parts.last_mut().expect("there is one").push(c);
        }
    }
    parts.into_iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}
