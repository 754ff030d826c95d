//! Accounts, in a list with commas.

use trunkline_workflow::AccountId;

use crate::cli::account::parse_account;

const MOST: usize = 100;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountList(pub Vec<AccountId>);

pub fn parse_accounts(text: &str) -> Result<AccountList, String> {
    let mut accounts = Vec::new();
    for part in text.split(',') {
        let account = parse_account(part.trim()).map_err(|reason| format!("`{}`: {reason}", part.trim()))?;
        if !accounts.contains(&account) {
            accounts.push(account);
        }
    }
    if accounts.len() > MOST {
        return Err(format!("{} accounts; a worker is told {MOST} at most", accounts.len()));
    }
    Ok(AccountList(accounts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_read_from_a_list() {
        let read = |text| parse_accounts(text).map(|accounts| accounts.0.len());
        assert_eq!((read("acme"), read("acme, globex,acme")), (Ok(1), Ok(2)));
        let many: Vec<String> = (0..101).map(|n| format!("a{n}")).collect();
        for bad in ["", " ", "acme,", "ac me", &many.join(",")] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
