//! Networks that fall silent: a process in a network namespace of its own, with a private link to this machine for each
//! thing that it may reach. A link that is cut loses packets in one direction or both, and nobody is told.
//!
//! ```text
//!   this machine                              the worker's namespace
//!   198.19.a.1 ── tk…h0 ═════════ tk…w0 ── 198.19.a.2      to PostgreSQL
//!   198.19.b.1 ── tk…h1 ═════════ tk…w1 ── 198.19.b.2      to the endpoint
//! ```
//!
//! The addresses are of the range for tests between networks (RFC 2544), four to a link; nothing is routed any further.
//! A namespace lives as long as a process in it: here a `cat` that ends with its input, so that nothing stays behind
//! however a test ends.

use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::proxy::Flow;
use crate::support::until;

/// A `/30` each, of 198.19.0.0/16.
const LINKS: u32 = 1 << 14;

/// What workers must be allowed to call.
pub const RANGE: &str = "198.19.0.0/16";

pub struct Network {
    holder: Child,
}

/// Gone with its network.
pub struct Link {
    name: String,
    peer: String,
    network: u32,
    /// This machine's.
    pub address: Ipv4Addr,
    /// The other side's.
    pub guest: Ipv4Addr,
}

impl Network {
    /// The error says why this machine has none.
    pub async fn start() -> Result<Self, String> {
        let mut trial = Command::new("unshare");
        run(trial.args(["--net", "true"])).map_err(|why| format!("no network of its own: {why}"))?;
        for tool in ["ip", "tc"] {
            run(Command::new(tool).arg("-V")).map_err(|why| format!("no `{tool}`, of iproute2: {why}"))?;
        }
        let holder = Command::new("unshare")
            .args(["--net", "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        let network = Self { holder };
        let (theirs, ours) = (network.path(), std::fs::read_link("/proc/self/ns/net").unwrap());
        until("the network is another one", || async {
            std::fs::read_link(&theirs).is_ok_and(|theirs| theirs != ours)
        })
        .await;
        Ok(network)
    }

    /// Whoever is to live in it enters by this.
    pub fn path(&self) -> String {
        path(self.holder.id())
    }

    pub fn link(&self) -> Result<Link, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let (pid, number) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let at = u32::from(Ipv4Addr::new(198, 19, 0, 0)) + (pid.wrapping_mul(64) + number) % LINKS * 4;
        let (address, guest) = (Ipv4Addr::from(at + 1), Ipv4Addr::from(at + 2));
        // At most 15 bytes.
        let (name, peer) = (format!("tk{pid}h{number}"), format!("tk{pid}w{number}"));
        let link = Link { name, peer, network: self.holder.id(), address, guest };
        link.make().map_err(|why| format!("no link to a network of its own: {why}"))?;
        Ok(link)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

impl Link {
    fn make(&self) -> Result<(), String> {
        let Self { name, peer, address, guest, .. } = self;
        let network = self.network.to_string();
        run(Command::new("ip")
            .args(["link", "add", name, "type", "veth", "peer", "name", peer, "netns", &network]))?;
        for (there, here, address) in [(false, name, address), (true, peer, guest)] {
            self.run(there, "ip", &["address", "add", &format!("{address}/30"), "dev", here])?;
            self.run(there, "ip", &["link", "set", here, "up"])?;
        }
        // Who asks for the other's address and gets no answer is told after a moment: nobody is to ask.
        let (our_mac, their_mac) = (self.mac(false, name)?, self.mac(true, peer)?);
        for (there, here, other, mac) in [(false, name, guest, their_mac), (true, peer, address, our_mac)] {
            let neighbour =
                ["neighbour", "replace", &other.to_string(), "lladdr", &mac, "dev", here, "nud", "permanent"];
            self.run(there, "ip", &neighbour)?;
        }
        Ok(())
    }

    fn mac(&self, there: bool, device: &str) -> Result<String, String> {
        let shown = self.run(there, "ip", &["-o", "link", "show", "dev", device])?;
        let (_, rest) = shown.split_once("link/ether ").ok_or_else(|| shown.clone())?;
        Ok(rest.split_whitespace().next().unwrap_or_default().to_owned())
    }

    /// What does not get through is lost. The other side is the client.
    pub fn let_through(&self, flow: Flow) {
        self.let_out(true, &self.peer, flow.to_server);
        self.let_out(false, &self.name, flow.to_client);
    }

    fn let_out(&self, there: bool, device: &str, open: bool) {
        let shown = self.run(there, "tc", &["qdisc", "show", "dev", device]).unwrap();
        if open == shown.contains("blackhole") {
            let what = if open { "del" } else { "replace" };
            let blackhole = ["blackhole"];
            let root = ["qdisc", what, "dev", device, "root"];
            let command: Vec<&str> = root.iter().chain(blackhole.iter().filter(|_| !open)).copied().collect();
            self.run(there, "tc", &command).unwrap();
        }
    }

    fn run(&self, there: bool, tool: &str, arguments: &[&str]) -> Result<String, String> {
        if there {
            let network = format!("--net={}", path(self.network));
            run(Command::new("nsenter").args([&network, tool]).args(arguments))
        } else {
            run(Command::new(tool).args(arguments))
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // Its network may be gone before it, and take it along.
        let _ = run(Command::new("ip").args(["link", "delete", &self.name]));
    }
}

fn path(holder: u32) -> String {
    format!("/proc/{holder}/ns/net")
}

fn run(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
