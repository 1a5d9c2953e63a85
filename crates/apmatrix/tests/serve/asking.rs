//! A server of `apmatrix serve`, and who asks it over a connection of his own.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Child;
use std::time::Duration;

use serde_json::{Value, json};

use crate::started;

/// How long anything may take before the test gives up.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A server, ended when it is dropped.
pub struct Server {
    pub child: Child,
    pub address: SocketAddr,
}

impl Server {
    pub fn start(arguments: &[&str]) -> Server {
        let (child, address) = started::serve(arguments);
        Server { child, address }
    }

    pub fn tiny(more: &[&str]) -> Server {
        Server::start(&[&["--machine", "tiny"], more].concat())
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream
    }

    /// Sends a request as it is, and reads until the connection ends.
    pub fn raw(&self, request: &str) -> Answer {
        let mut stream = self.connect();
        // Whoever is refused early need not be read to the end.
        let _ = stream.write_all(request.as_bytes());
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        Answer::parse(&String::from_utf8_lossy(&bytes))
    }

    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "Host") {
            request += &format!("Host: {}\r\n", self.address);
        }
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            request += &format!("Content-Length: {}\r\n", body.len());
        }
        self.raw(&(request + "\r\n" + body))
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "")
    }

    pub fn operate(&self, line: &str) -> Answer {
        let json = [("Content-Type", "application/json")];
        self.ask("POST", "/api/operate", &json, &json!({ "line": line }).to_string())
    }

    pub fn state(&self) -> Value {
        self.get("/api/state").json()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn parse(text: &str) -> Answer {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Answer { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    pub fn json(&self) -> Value {
        // Without a length the body comes in pieces.
        let from = self.body.find('{').unwrap_or(0);
        let to = self.body.rfind('}').map_or(0, |at| at + 1);
        serde_json::from_str(&self.body[from..to.max(from)])
            .unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}
