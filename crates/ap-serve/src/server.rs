//! The server: connections, how many there may be, how long one may take, and the end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ap_view::Live;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio_io_timeout::TimeoutStream;

use crate::document::State;
use crate::routes::{App, Moment, routes};

/// How many connections there may be; the next ones are closed at once.
const CONNECTIONS: usize = 600;

/// How much of what is sent the system keeps for a client that does not read it. More would only hide for longer that
/// nobody reads.
const UNREAD: u32 = 128 * 1024;

/// How often it is asked whether anybody is there to be told of a moment.
const TURN: Duration = Duration::from_millis(500);

/// How a host is served.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Where to listen; port 0 is any that is free.
    pub listen: SocketAddr,
    /// Whether others than this machine may ask.
    pub remote: bool,
    /// Whether an emulated host may be operated.
    pub operate: bool,
    /// How long a client may take for the head of a request, and how long it may leave its answer unread, before it loses
    /// its place.
    pub patience: Duration,
}

/// Why a host cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address that others can reach, and nobody said that they may.
    #[error("{0} can be reached from other machines")]
    Remote(SocketAddr),
    /// The system refuses the address.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, #[source] io::Error),
    /// The system refuses something else.
    #[error("cannot serve: {0}")]
    System(#[from] io::Error),
}

/// A server that listens.
pub struct Server {
    runtime: Runtime,
    listener: TcpListener,
    address: SocketAddr,
    app: Arc<App>,
    options: Options,
}

impl Server {
    /// Listens.
    ///
    /// # Errors
    /// [`ServeError`].
    pub fn bind(live: Arc<dyn Live>, options: Options) -> Result<Server, ServeError> {
        let Options { listen, remote, operate, .. } = options;
        if !listen.ip().is_loopback() && !remote {
            return Err(ServeError::Remote(listen));
        }
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let listener = runtime
            .block_on(async { listener(listen) })
            .map_err(|error| ServeError::Listen(listen, error))?;
        let address = listener.local_addr()?;
        let moments = publish(&live);
        let app = Arc::new(App { live, moments, operate, watchers: watch::Sender::new(0) });
        Ok(Server { runtime, listener, address, app, options })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until SIGINT or SIGTERM, which end everything at once.
    ///
    /// # Errors
    /// If the system refuses signals.
    pub fn run(self) -> Result<(), ServeError> {
        let Server { runtime, listener, app, options, .. } = self;
        let ended = runtime.block_on(async {
            let (mut interrupt, mut terminate) =
                (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
            tokio::select! {
                () = serve(listener, app, options) => {}
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            Ok(())
        });
        // Whoever still watches is not waited for.
        runtime.shutdown_background();
        ended
    }
}

/// Makes the document of each moment once. The thread ends when nobody holds the other end.
fn publish(live: &Arc<dyn Live>) -> watch::Receiver<Moment> {
    let moment = |shown: Arc<ap_view::Shown>| Moment { state: Arc::new(State::of(&shown)), shown };
    let first = moment(live.now());
    let mut last = first.shown.moment;
    let (sender, receiver) = watch::channel(first);
    let live = live.clone();
    thread::spawn(move || {
        while !sender.is_closed() {
            if let Some(shown) = live.later(last, TURN) {
                last = shown.moment;
                sender.send_replace(moment(shown));
            }
        }
    });
    receiver
}

/// Listens, with what connections inherit.
fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(UNREAD)?;
    socket.bind(address)?;
    socket.listen(1024)
}

async fn serve(listener: TcpListener, app: Arc<App>, options: Options) {
    let router = routes(app, options.remote);
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            // Too many files are open, or the client is gone already: others are served still.
            Err(_) => {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(place) = places.clone().try_acquire_owned() else { continue };
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let _place = place;
            connection(stream, service, options.patience).await;
        });
    }
}

async fn connection(stream: TcpStream, service: TowerToHyperService<axum::Router>, patience: Duration) {
    let _ = stream.set_nodelay(true);
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(patience).max_buf_size(64 * 1024);
    // Whoever never reads must not keep its place for ever.
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(patience));
    // What a client does wrong is its own to know.
    let _ = builder.serve_connection(TokioIo::new(Box::pin(stream)), service).await;
}
