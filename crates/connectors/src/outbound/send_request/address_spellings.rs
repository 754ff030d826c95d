//! How addresses can be spelled, and what becomes of a request to each: `address_spellings.txt`, a verdict and a URL a
//! line. Nothing is sent to an address that is permitted by itself: these tests stay on this machine.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use super::tests::{get, permitting};
use super::{Hop, OutboundClient, OutboundError, Url};
use crate::outbound::AddressPolicy;
use crate::outbound::resolve_permitted::Lookup;
use crate::recorded_server::{RecordedServer, Reply};

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It is not even a URL that a request can go to.
    NoUrl,
    /// An address that may not be called.
    Refused,
    /// A name, which is looked up; the answer is judged.
    Lookup(String),
    /// An address that may be called.
    Call(String),
}

/// The table's lines for a server at this port.
fn table(port: u16) -> Vec<(Verdict, String)> {
    let lines = include_str!("address_spellings.txt").lines().filter(|line| !line.starts_with('#'));
    let line = |line: &str| {
        let (verdict, rest) = line.split_once(' ').unwrap();
        let (verdict, url) = match verdict {
            "refused" => (Verdict::Refused, rest),
            "no-url" => (Verdict::NoUrl, rest),
            _ => {
                let (about, url) = rest.split_once(' ').unwrap();
                match verdict {
                    "lookup" => (Verdict::Lookup(about.to_owned()), url),
                    "call" => (Verdict::Call(about.to_owned()), url),
                    _ => panic!("{line}"),
                }
            }
        };
        let url = url.replace("{port}", &port.to_string()).replace("{newline}", "\n").replace("{tab}", "\t");
        (verdict, url)
    };
    lines.map(line).collect()
}

/// What is decided about a URL before anything is looked up or sent.
fn verdict(client: &OutboundClient, url: &str) -> Verdict {
    let Ok(hop) = Hop::first(get(url)) else { return Verdict::NoUrl };
    let host = hop.url.host_str().unwrap().trim_matches(['[', ']']).to_owned();
    match (client.check_literal_address(&hop.url), host.parse::<std::net::IpAddr>()) {
        (Err(_), _) => Verdict::Refused,
        (Ok(()), Ok(_)) => Verdict::Call(host),
        (Ok(()), Err(_)) => Verdict::Lookup(host),
    }
}

/// Every name has these addresses, all of them this machine's or its network's; and the names that were asked for.
fn private_lookup() -> (Lookup, Arc<Mutex<Vec<String>>>) {
    let names = Arc::new(Mutex::new(Vec::new()));
    let asked = Arc::clone(&names);
    let lookup: Lookup = Arc::new(move |name| {
        asked.lock().unwrap().push(name);
        let addresses =
            ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.1", "169.254.169.254", "fd00:ec2::254"];
        Box::pin(async move { Ok(addresses.map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).to_vec()) })
    });
    (lookup, names)
}

#[tokio::test]
async fn no_spelling_of_a_private_address_is_connected_to() {
    let server = RecordedServer::start(vec![Reply::json("200 OK", "{}")]).await;
    let (lookup, names) = private_lookup();
    let client = OutboundClient::with_lookup(AddressPolicy::default(), lookup);
    let table = table(server.address.port());
    assert!(table.len() >= 200);
    let wrong: Vec<String> = table
        .iter()
        .filter(|(expected, url)| verdict(&client, url) != *expected)
        .map(|(expected, url)| format!("{url:?} is {:?}, not {expected:?}", verdict(&client, url)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (expected, url) in table {
        if let Verdict::Call(_) = expected {
            continue;
        }
        names.lock().unwrap().clear();
        let outcome = client.send(get(url.as_str())).await;
        assert!(matches!(outcome, Err(OutboundError::Refused(_))), "{url:?}: {outcome:?}");
        let asked = names.lock().unwrap().clone();
        match expected {
            Verdict::Lookup(name) => assert_eq!(asked, [name], "{url:?}"),
            _ => assert!(asked.is_empty(), "{url:?} asked for {asked:?}"),
        }
    }
    assert_eq!(server.connections(), 0);
}

/// A permitted server redirects to each of them.
#[tokio::test]
async fn no_redirect_leads_to_a_private_address_however_it_is_spelled() {
    let private = RecordedServer::start(vec![Reply::json("200 OK", "{}")]).await;
    let (lookup, _) = private_lookup();
    let client = OutboundClient::with_lookup(permitting(&["127.0.0.3"]), lookup);
    let base = Url::parse("http://127.0.0.3/").unwrap();
    let locations: Vec<String> = table(private.address.port())
        .into_iter()
        .filter(|(expected, _)| matches!(expected, Verdict::Refused | Verdict::Lookup(_)))
        .map(|(_, url)| url.trim().to_owned())
        .filter(|url| !url.contains(['\n', '\t']))
        // Without its slashes it is a path of the server that redirects.
        .filter(|url| base.join(url).unwrap().host_str() != base.host_str())
        .collect();
    assert!(locations.len() >= 150);
    let replies =
        locations.iter().map(|location| Reply::redirect("307 Temporary Redirect", location)).collect();
    let public = RecordedServer::start_at("127.0.0.3:0", replies).await;
    for location in &locations {
        let outcome = client.send(get(public.url("/"))).await;
        assert!(matches!(outcome, Err(OutboundError::Refused(_))), "{location}: {outcome:?}");
    }
    assert_eq!((public.requests().len(), private.connections()), (locations.len(), 0));
}
