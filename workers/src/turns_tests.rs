use super::*;

fn account(name: &str) -> AccountId {
    AccountId::new(name)
}

fn found(names: &[&str], next_after: Option<&str>) -> Waiting {
    let accounts = names.iter().map(|name| account(name)).collect();
    Waiting { accounts, next_after: next_after.map(account), now: None }
}

fn holding(held: &[(&str, usize)]) -> HashMap<AccountId, usize> {
    held.iter().map(|(name, slots)| (account(name), *slots)).collect()
}

fn jobs(name: &str, count: usize) -> Vec<LeasedJob> {
    let job = LeasedJob {
        instance: trunkline_workflow::InstanceId::from_bytes(&[0; 12]).unwrap(),
        account: account(name),
        definition: trunkline_workflow::DefinitionId::nil(),
        version: 1,
        path: trunkline_workflow::path::Path {
            path: 1,
            n: 1,
            step: 0,
            scope: None,
            place: trunkline_workflow::path::Place::Active,
            attempt: 1,
            started_at: None,
        },
        issued: 1,
        alone: true,
        resume: None,
        data: None,
        instance_started_at: chrono::DateTime::UNIX_EPOCH,
        waited: Duration::ZERO,
        trace: None,
    };
    vec![job; count]
}

fn turns(slots: usize) -> Turns {
    Turns::new(Most { slots, per_account: None }, Accounts::All, &Steps::All)
}

fn shares(next: Next) -> Vec<(String, usize)> {
    let Next::Shares(shares) = next else { panic!("{next:?}") };
    shares.into_iter().map(|(account, share)| (account.to_string(), share)).collect()
}

fn expected(shares: &[(&str, usize)]) -> Vec<(String, usize)> {
    shares.iter().map(|(name, share)| ((*name).to_owned(), *share)).collect()
}

#[test]
fn quiet_hours_take_whatever_is_there() {
    let mut turns = turns(256);
    assert_eq!(turns.next(256, &holding(&[])), Next::Any(128));
    turns.learn(128, &jobs("a", 127));
    assert_eq!(turns.next(256, &holding(&[("a", 127)])), Next::Any(65), "and not beyond its most");
    turns.be_told(true);
    assert_eq!(turns.next(256, &holding(&[("a", 127)])), Next::Any(128), "nobody else is there");
}

#[test]
fn a_full_batch_begins_turns_and_a_look_that_finds_nobody_ends_them() {
    let mut turns = turns(256);
    turns.learn(128, &jobs("a", 128));
    assert_eq!(turns.next(128, &holding(&[("a", 128)])), Next::Look);
    turns.looked(found(&["a", "b", "c"], None), Duration::ZERO);
    let next = turns.next(128, &holding(&[("a", 128)]));
    assert_eq!(shares(next), expected(&[("b", 64), ("c", 64)]), "who holds least comes first");
    let asked = [(account("b"), 64), (account("c"), 64)];
    turns.learn_shares(&asked, &jobs("b", 1));
    assert_eq!(shares(turns.next(127, &holding(&[("a", 128), ("b", 1)]))), expected(&[("a", 64)]));
    turns.learn_shares(&[(account("a"), 64)], &jobs("a", 3));
    assert_eq!(turns.next(124, &holding(&[("a", 131), ("b", 1)])), Next::Look);
    turns.looked(found(&[], None), Duration::ZERO);
    assert_eq!(turns.next(124, &holding(&[("a", 131), ("b", 1)])), Next::Any(61));
}

#[test]
fn an_account_at_its_most_is_not_asked_for_and_nobody_spins_about_it() {
    let mut turns = turns(4);
    let held = holding(&[("slow", 3)]);
    assert_eq!(turns.next(1, &held), Next::Look, "whatever came might be its");
    turns.looked(found(&["slow"], None), Duration::ZERO);
    assert_eq!(turns.next(1, &held), Next::Nothing);
    turns.waited();
    assert_eq!(turns.next(1, &held), Next::Look);
    turns.looked(found(&["other", "slow"], None), Duration::ZERO);
    assert_eq!(shares(turns.next(1, &held)), expected(&[("other", 1)]));
}

#[test]
fn what_is_found_and_cannot_be_claimed_is_not_looked_for_again_at_once() {
    let mut turns = turns(8);
    turns.learn(6, &jobs("a", 6));
    assert_eq!(turns.next(2, &holding(&[])), Next::Look);
    for round in 0..2 {
        turns.looked(found(&["a"], None), Duration::ZERO);
        assert_eq!(shares(turns.next(2, &holding(&[]))), expected(&[("a", 2)]), "{round}");
        turns.learn_shares(&[(account("a"), 2)], &[]);
        let next = turns.next(2, &holding(&[]));
        assert_eq!(next, if round == 0 { Next::Look } else { Next::Nothing });
    }
}

#[test]
fn looks_go_round_all_accounts_a_part_at_a_time() {
    let mut turns = turns(256);
    turns.learn(128, &jobs("a", 128));
    turns.looked(found(&["a"], Some("a")), Duration::ZERO);
    assert_eq!(turns.look().1, Some(&account("a")));
    turns.learn_shares(&[(account("a"), 5)], &jobs("a", 1));
    assert_eq!(turns.next(128, &holding(&[])), Next::Look, "there are others behind");
    turns.looked(found(&["m"], None), Duration::ZERO);
    assert_eq!(turns.look().1, None);
    turns.learn_shares(&[(account("m"), 5)], &[]);
    assert_eq!(turns.next(128, &holding(&[])), Next::Look, "and again from the beginning");
}

#[test]
fn who_had_its_turn_comes_after_those_who_had_not() {
    let mut turns = turns(2);
    turns.learn(1, &jobs("x", 1));
    turns.looked(found(&["a", "b", "c"], None), Duration::ZERO);
    let mut served = Vec::new();
    for _ in 0..6 {
        let next = shares(turns.next(1, &holding(&[])));
        assert_eq!(next.len(), 1);
        turns.learn_shares(&[(account(&next[0].0), 1)], &jobs(&next[0].0, 1));
        served.push(next[0].0.clone());
    }
    assert_eq!(served, ["a", "b", "c", "a", "b", "c"]);
}

#[test]
fn a_pool_looks_for_its_accounts_only() {
    let most = Most { slots: 8, per_account: None };
    let mut only = Turns::new(most, Accounts::Only(vec![account("a")]), &Steps::All);
    assert_eq!(only.next(8, &holding(&[])), Next::Look);
    let (_, _, asked) = only.look();
    assert_eq!(asked.iter().map(|asked| asked.account.as_str()).collect::<Vec<_>>(), ["a"]);
    only.looked(found(&["a"], None), Duration::ZERO);
    assert_eq!(shares(only.next(8, &holding(&[]))), expected(&[("a", 8)]), "nobody shares it");
    only.learn_shares(&[(account("a"), 8)], &[]);
    assert_eq!(only.next(8, &holding(&[])), Next::Nothing);

    let mut except = Turns::new(most, Accounts::Except(vec![account("a")]), &Steps::All);
    assert_eq!(except.next(8, &holding(&[])), Next::Look);
    let (_, _, passed) = except.look();
    assert!(passed.iter().all(|passed| passed.account.as_str() == "a" && passed.begin.is_none()));
    except.looked(found(&[], None), Duration::ZERO);
    assert_eq!(except.next(8, &holding(&[])), Next::Nothing, "never whatever is there");
}

#[test]
fn marks_are_kept_of_those_that_were_used_last() {
    let mut turns = turns(256);
    turns.know(&account("old")).claimed = 1_000;
    for n in 0..2 * KNOWN {
        turns.know(&account(&n.to_string()));
    }
    assert!(turns.known.len() <= 2 * KNOWN && !turns.known.contains_key(&account("old")));
    let many: Vec<(AccountId, usize)> = (0..100).map(|n| (account(&format!("new{n}")), 1)).collect();
    assert_eq!(turns.with_marks(&many).len(), 100);
}

#[test]
fn an_account_of_which_much_was_claimed_is_jumped_over() {
    let mut turns = turns(256);
    turns.learn(128, &jobs("a", 128));
    turns.learn(128, &jobs("b", 1));
    let (_, _, passed) = turns.look();
    assert_eq!(passed.iter().map(|passed| passed.account.as_str()).collect::<Vec<_>>(), ["a"]);
}

#[test]
fn accounts_beyond_the_queue_get_their_turn_though_those_in_it_always_have_more() {
    let everybody: Vec<AccountId> = (0..QUEUE + 1_000).map(|n| account(&format!("{n:05}"))).collect();
    let mut turns = turns(256);
    turns.learn(128, &jobs("00000", 128));
    let mut served: HashSet<AccountId> = HashSet::new();
    for _ in 0..600 {
        match turns.next(64, &holding(&[])) {
            Next::Look => {
                let after = turns.look().1.cloned();
                let from = everybody.partition_point(|account| after.as_ref().is_some_and(|a| account <= a));
                let accounts: Vec<AccountId> = everybody.iter().skip(from).take(LOOK).cloned().collect();
                let next_after = accounts.last().filter(|_| accounts.len() == LOOK).cloned();
                turns.looked(Waiting { accounts, next_after, now: None }, Duration::ZERO);
                // The next one is due.
                turns.looked_at = None;
            }
            Next::Shares(shares) => {
                let claimed: Vec<LeasedJob> =
                    shares.iter().flat_map(|(account, share)| jobs(account.as_str(), *share)).collect();
                turns.learn_shares(&shares, &claimed);
                served.extend(shares.into_iter().map(|(account, _)| account));
            }
            next => panic!("{next:?}"),
        }
    }
    assert_eq!(served.len(), everybody.len());
    assert!(turns.queue.len() < QUEUE + LOOK, "{}", turns.queue.len());
}
