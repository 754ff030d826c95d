//! The life of evaluator children.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Map, Value, json};
use trunkline_expressions::{EvaluationError, Evaluator, EvaluatorCommand, Limits, Template};

use crate::support::{ACCOUNT, command, object};

fn template(text: &str) -> Template {
    Template::compile(&json!(text)).unwrap()
}

/// An evaluator whose children can be told from those of other tests.
fn marked_evaluator(mark: &str) -> Evaluator {
    Evaluator::new(EvaluatorCommand { args: vec![mark.into()], ..command() }, 1, Limits::default())
}

/// The children with a mark that run (and not only wait to be noticed).
fn children(mark: &str) -> Vec<u32> {
    let read =
        |process: &u32, file: &str| fs::read_to_string(format!("/proc/{process}/{file}")).unwrap_or_default();
    let processes =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    processes
        .filter(|process| read(process, "cmdline") == format!("trunkline-evaluator\0{mark}\0"))
        .filter(|process| !read(process, "stat").contains(") Z "))
        .collect()
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn simple_templates_need_no_child() {
    let nobody = Evaluator::new(EvaluatorCommand::new("/nonexistent", [""; 0]), 1, Limits::default());
    let data = object(json!({"a": {"b": [1, "x"]}, "n": 5, "t": "Yes "}));
    for (text, expected) in [
        ("constant", json!("constant")),
        ("{{data.a.b[1]}}", json!("x")),
        ("{{data.a['b'].length}}", json!(2)),
        ("n={{data.n}}, {{n}}, {{none.x}}", json!("n=5, 5, ")),
        ("{{data.n > 4 && data.a.b[0] == '1' ? 'yes' : 'no'}}", json!("yes")),
        ("{{t.trim().toLowerCase() === 'yes'}}", json!(true)),
        ("{{!isDayOfWeek('2021-05-25', 'Monday')}}", json!(true)),
        ("{{`${data.n}!` + 1}}", json!("5!1")),
        ("{{data.a.b}}", json!([1, "x"])),
    ] {
        assert_eq!(nobody.inputs(ACCOUNT, &template(text), &data).await, Ok(expected), "{text}");
    }
}

#[tokio::test]
async fn without_children_the_evaluator_is_unavailable() {
    let nobody = Evaluator::new(EvaluatorCommand::new("/nonexistent", [""; 0]), 1, Limits::default());
    let wrong = Evaluator::new(EvaluatorCommand::new("/bin/true", [""; 0]), 1, Limits::default());
    for evaluator in [nobody, wrong] {
        let error =
            evaluator.inputs(ACCOUNT, &template("{{[1].map(x => x)}}"), &Map::new()).await.unwrap_err();
        assert!(matches!(error, EvaluationError::Unavailable { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_child_that_was_killed_is_replaced() {
    let evaluator = marked_evaluator("killed");
    let script = template("{{[data.x].map(x => x + 1)[0]}}");
    let data = object(json!({"x": 1}));
    assert_eq!(evaluator.inputs(ACCOUNT, &script, &data).await, Ok(json!(2)));
    let child = children("killed");
    assert_eq!(child.len(), 1, "one child per evaluator");
    let process = Pid::from_raw(i32::try_from(child[0]).unwrap()).unwrap();
    kill_process(process, Signal::KILL).unwrap();
    assert_eq!(evaluator.inputs(ACCOUNT, &script, &data).await, Ok(json!(2)));
}

#[tokio::test]
async fn children_end_with_their_evaluator() {
    let one = marked_evaluator("ended");
    let other = one.clone();
    one.inputs(ACCOUNT, &template("{{[1].map(x => x)}}"), &Map::new()).await.unwrap();
    drop(one);
    other.inputs(ACCOUNT, &template("{{[1].map(x => x)}}"), &Map::new()).await.unwrap();
    assert_eq!(children("ended").len(), 1);
    drop(other);
    until("the child ends", || children("ended").is_empty()).await;
}

#[tokio::test]
async fn a_request_that_nobody_waits_for_ends_its_child() {
    let evaluator = marked_evaluator("dropped");
    evaluator.inputs(ACCOUNT, &template("{{[1].map(x => x)}}"), &Map::new()).await.unwrap();
    let child = children("dropped");
    let long = template("{{Array(2 ** 32 - 1).indexOf(1)}}");
    let data = Map::new();
    tokio::select! {
        biased;
        _ = evaluator.inputs(ACCOUNT, &long, &data) => panic!("that takes longer"),
        () = tokio::time::sleep(Duration::from_millis(20)) => {}
    }
    until("the child is killed", || !children("dropped").contains(&child[0])).await;
    assert_eq!(
        evaluator.inputs(ACCOUNT, &template("{{[1].map(x => x)}}"), &Map::new()).await,
        Ok(json!([1]))
    );
}

#[tokio::test]
async fn a_child_has_no_environment_and_no_rights_to_gain() {
    let evaluator = marked_evaluator("bare");
    evaluator.inputs(ACCOUNT, &template("{{[1].map(x => x)}}"), &Map::new()).await.unwrap();
    let child = children("bare")[0];
    let read = |file: &str| fs::read_to_string(format!("/proc/{child}/{file}")).unwrap();
    // Only root may read the environment of a process that is not dumpable.
    if let Ok(environment) = fs::read_to_string(format!("/proc/{child}/environ")) {
        let mut set: Vec<&str> = environment.split_terminator('\0').collect();
        set.sort_unstable();
        assert_eq!(set, ["MIMALLOC_ARENA_RESERVE=32M", "TZ=UTC0"]);
    }
    let status = read("status");
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    let limits = read("limits");
    for limit in ["Max open files            0", "Max core file size        0", "Max file size             0"]
    {
        assert!(limits.contains(limit), "{limits}");
    }
    let address_space = limits.lines().find(|line| line.starts_with("Max address space")).unwrap();
    assert!(!address_space.contains("unlimited"), "{limits}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_requests_share_few_children() {
    let evaluator = Evaluator::new(command(), 2, Limits { sandboxes: 3, ..Limits::default() });
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..200_u64 {
        let evaluator = evaluator.clone();
        tasks.spawn(async move {
            let text = format!("{{{{[data.n].map(n => n + {})[0]}}}}", number % 17);
            let data = object(json!({"n": number, "payload": "x".repeat(2000)}));
            let account = format!("account-{}", number % 7);
            let value = evaluator.inputs(&account, &template(&text), &data).await;
            assert_eq!(value, Ok(Value::from(number + number % 17)));
        });
    }
    tasks.join_all().await;
}

#[tokio::test]
async fn a_child_that_the_machine_does_not_let_run_is_waited_for() {
    let evaluator = marked_evaluator("stopped");
    let script = template("{{[1].map(x => x)}}");
    let data = Map::new();
    evaluator.inputs(ACCOUNT, &script, &data).await.unwrap();
    let child = Pid::from_raw(i32::try_from(children("stopped")[0]).unwrap()).unwrap();
    kill_process(child, Signal::STOP).unwrap();
    let request = evaluator.inputs(ACCOUNT, &script, &data);
    tokio::pin!(request);
    // Longer than a script that works may take.
    assert!(tokio::time::timeout(Duration::from_millis(1500), &mut request).await.is_err());
    kill_process(child, Signal::CONT).unwrap();
    assert_eq!(request.await, Ok(json!([1])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_of_slow_scripts_leaves_children_and_processors_to_others() {
    let evaluator = marked_evaluator("slow");
    let slow = template("{{Array(2 ** 32 - 1).indexOf(1)}}");
    assert!(evaluator.inputs("slow", &slow, &Map::new()).await.is_err());
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (evaluator, slow) = (evaluator.clone(), slow.clone());
        requests.spawn(async move { evaluator.inputs("slow", &slow, &Map::new()).await });
    }
    let niceness = || {
        let mut all: Vec<String> = children("slow").into_iter().map(|child| stat(child, "nice")).collect();
        all.sort();
        all
    };
    until("the child of slow accounts is at work", || niceness() == ["0", "10"]).await;
    for _ in 0..50 {
        let value = evaluator.inputs("honest", &template("{{[1].map(x => x)}}"), &Map::new()).await;
        assert_eq!(value, Ok(json!([1])));
        tokio::task::yield_now().await;
    }
    let ended = std::iter::from_fn(|| requests.try_join_next()).count();
    assert!(ended <= 2, "honest requests waited for {ended} slow ones");
    // In a session of its own a process may be as nice as it likes.
    let honest = children("slow").into_iter().find(|child| stat(*child, "nice") == "0").unwrap();
    let us = std::process::id();
    assert_eq!(stat(honest, "session"), stat(us, "session"));
    assert_ne!(stat(honest, "group"), stat(us, "group"));
    requests.abort_all();
}

#[tokio::test]
async fn who_stays_below_the_limit_is_slow_as_well() {
    let evaluator = marked_evaluator("below");
    let is_slow = || children("below").into_iter().any(|child| stat(child, "nice") == "10");
    let mut letters = 8;
    while !is_slow() {
        let text = format!("{{{{/(x+x+)+y/.test('x'.repeat({letters}))}}}}");
        assert_eq!(evaluator.inputs(ACCOUNT, &template(&text), &Map::new()).await, Ok(json!(false)));
        // Where it is done shows what the last one was.
        evaluator.inputs(ACCOUNT, &template("{{[1].map(x => x)}}"), &Map::new()).await.unwrap();
        letters += 1;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_ends_children_is_slow_as_well() {
    let command = EvaluatorCommand { args: vec!["ends".into()], ..command() };
    let limits = Limits { timeout: Duration::from_secs(60), ..Limits::default() };
    let evaluator = Evaluator::new(command, 1, limits);
    let other = evaluator.clone();
    let endless = template("{{/(x+x+)+y/.test('x'.repeat(50))}}");
    let request = tokio::spawn(async move { other.inputs(ACCOUNT, &endless, &Map::new()).await });
    for _ in 0..2 {
        let at_work = || {
            let half_a_second =
                |child: &u32| stat(*child, "utime").parse().is_ok_and(|ticks: u32| ticks > 50);
            children("ends").into_iter().find(half_a_second)
        };
        until("a child is at work", || at_work().is_some()).await;
        let child = at_work().and_then(|child| Pid::from_raw(i32::try_from(child).unwrap()));
        kill_process(child.unwrap(), Signal::KILL).unwrap();
    }
    let error = request.await.unwrap().unwrap_err();
    assert!(error.to_string().contains("ended its evaluator"), "{error}");
    evaluator.inputs(ACCOUNT, &template("{{[1].map(x => x)}}"), &Map::new()).await.unwrap();
    assert!(children("ends").into_iter().any(|child| stat(child, "nice") == "10"));
}

/// Of what the kernel says of a process.
fn stat(process: u32, name: &str) -> String {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let after_the_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let at = match name {
        "group" => 2,
        "session" => 3,
        "utime" => 11,
        "nice" => 16,
        _ => panic!("{name}"),
    };
    after_the_name.split_whitespace().nth(at).unwrap_or_default().to_owned()
}
