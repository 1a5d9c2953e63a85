//! A server, and what it is told over HTTP.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Child;

use serde_json::{Value, json};

use crate::started;

/// A server, ended when it is dropped.
pub struct Server {
    child: Child,
    /// `127.0.0.1:PORT`.
    pub address: String,
}

impl Server {
    /// `apmatrix serve` with these arguments.
    pub fn start(arguments: &[&str]) -> Server {
        let (child, address) = started::serve(arguments);
        let address = address.to_string();
        Server { child, address }
    }

    /// A machine that one may operate.
    pub fn operated(machine: &str) -> Server {
        Server::start(&["--machine", machine, "--operate"])
    }

    /// The host with every state of a queue.
    pub fn every() -> Server {
        let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../ap-view/tests/data/");
        let server = Server::operated(&format!("{data}every.toml"));
        let lines = std::fs::read_to_string(format!("{data}every.txt")).expect("its lines");
        for line in lines.lines() {
            let said = server.operate(line);
            assert_eq!(said["done"], true, "{line}: {said}");
        }
        server
    }

    /// The page's address.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    fn ask(&self, request: &str) -> Value {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer");
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Carries out a line; what was said.
    pub fn operate(&self, line: &str) -> Value {
        let body = json!({ "line": line }).to_string();
        self.ask(&format!(
            "POST /api/operate HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        ))
    }

    /// How much memory it has, in KiB.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
