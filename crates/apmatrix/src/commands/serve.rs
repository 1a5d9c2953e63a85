//! `apmatrix serve`: the matrix as a web page.

use std::io::{ErrorKind, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ap_serve::document::{Change, Details, Found, Operate, Said, State};
use ap_serve::page::Frozen;
use ap_serve::{Options, ServeError, Server};

use crate::arguments::{address, number};
use crate::commands::view::HostArgs;
use crate::error::{CliError, Outcome};
use crate::schema::{Named, of};

/// Serve the matrix as a web page: whose each queue is, and why; live
///
/// The page needs no network but this server. It prints its address, and serves until it is interrupted. Nothing can be
/// operated but an emulated host, and that only with --operate. /api/state is the state as JSON, /api/events what
/// changes (server-sent events), /api/schema the JSON schema of both.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    apmatrix serve --machine tiny --operate             a machine to play with, in the browser\n  \
    apmatrix serve                                      this host, only read\n  \
    apmatrix serve --listen 10.0.0.5:8080 --allow-remote")]
pub struct Args {
    /// Which host.
    #[command(flatten)]
    host: HostArgs,
    /// Where to listen; port 0 is any that is free
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0", value_parser = address)]
    listen: SocketAddr,
    /// Let other machines look, too: there is no password, and nothing is encrypted
    #[arg(long)]
    allow_remote: bool,
    /// Let whoever looks operate the host, if it is an emulated one
    #[arg(long)]
    operate: bool,
    /// After so many seconds a client that sends no request, or does not read its answer, is cut off
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = number(1..=3600_u64), allow_negative_numbers = true)]
    patience: u64,
}

/// What is sent and taken, and what stands in a page that stands alone.
pub const SCHEMAS: [Named; 7] = [
    Named::new("view", "a host as it is shown: `/api/state` of `apmatrix serve`", of::<State>),
    Named::new("view-change", "what changed: `/api/events` of `apmatrix serve`", of::<Change>),
    Named::new("view-detail", "what is said of a selection: `/api/why` of `apmatrix serve`", of::<Details>),
    Named::new("view-found", "what a text finds: `/api/find` of `apmatrix serve`", of::<Found>),
    Named::new("view-operate", "what `/api/operate` of `apmatrix serve` takes", of::<Operate>),
    Named::new("view-said", "what an operation said: `/api/operate` of `apmatrix serve`", of::<Said>),
    Named::new("page", "what stands in the page that `--html` writes", of::<Frozen>),
];

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    let live = args.host.open(args.operate)?;
    let options = Options {
        listen: args.listen,
        remote: args.allow_remote,
        operate: args.operate,
        patience: Duration::from_secs(args.patience),
    };
    let server = Server::bind(Arc::new(live), options).map_err(refused)?;
    writeln!(anstream::stdout(), "http://{}/", server.address())?;
    server.run().map_err(refused)?;
    Ok(0)
}

fn refused(error: ServeError) -> CliError {
    let shown = match &error {
        ServeError::Remote(_) => CliError::usage(error.to_string())
            .hint("say --allow-remote, if others may look: there is no password, and nothing is encrypted")
            .hint("for one other person, a tunnel is better: ssh -L 8080:127.0.0.1:PORT HOST"),
        ServeError::Listen(_, refused) => CliError::environment(error.to_string()).hint(match refused.kind() {
            ErrorKind::AddrNotAvailable => {
                "this host has no such address: 127.0.0.1 is for this host alone, 0.0.0.0 is all that it has"
            }
            ErrorKind::PermissionDenied => "a port below 1024 is root's: take a higher one",
            _ => "port 0 takes one that is free: --listen 127.0.0.1:0",
        }),
        ServeError::System(_) => CliError::environment(error.to_string()),
    };
    shown.because(error)
}
