//! `apmatrix ls`: cards, queues, drivers, owners.

use std::io::{self, Write as _};
use std::path::PathBuf;

use ap_files::said;
use ap_serve::page::Frozen;
use ap_types::AdapterId;
use ap_view::read;

use crate::commands::{Root, print_json, write_page};
use crate::error::{CliError, Outcome};
use crate::inventory::{Card, Inventory, Owner, Queue};
use crate::plan::host::unreadable;
use crate::plan::tree::FileTree;

/// List cards, queues, drivers and owners, of an emulated or a real host
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    apmatrix ls                                         this host, or inside `apmatrix run` the machine\n  \
    apmatrix ls 04\n  \
    apmatrix ls 04.0006 --json\n  \
    apmatrix ls --html matrix.html                      a page to look at, or to send to somebody\n  \
    apmatrix ls --root /mnt/ap")]
pub struct Args {
    #[command(flatten)]
    root: Root,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Write a page that shows it to this file, for a browser: complete, and asks nobody
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "only"], value_hint = clap::ValueHint::FilePath)]
    html: Option<PathBuf>,
    /// Only this card or queue, in hex as in their names: 04, 04.0006
    #[arg(value_name = "CARD[.DOMAIN]")]
    only: Option<String>,
}

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    let only = args.only.as_deref().map(parse).transpose()?;
    let root = &args.root.root;
    let mut inventory = Inventory::read(root).map_err(|error| {
        let bus = root.join("bus/ap");
        let shown = match error.kind() {
            io::ErrorKind::NotFound => {
                CliError::environment(format!("there is no AP bus at {}", bus.display())).hint(
                    "on a real host load the module `ap`; for an emulated one: `apmatrix run -- apmatrix ls`",
                )
            }
            _ => CliError::environment(format!("{}: {}", bus.display(), said(&error))),
        };
        shown.because(error)
    })?;
    if let Some((adapter, domain)) = only
        && !inventory.keep(adapter, domain)
    {
        return Err(CliError::failed(match domain {
            Some(domain) => format!("there is no queue {adapter}.{domain:04x}"),
            None => format!("there is no card {adapter}"),
        }));
    }
    if let Some(path) = &args.html {
        let host = read::read(&mut FileTree::new(root), &root.display().to_string());
        let host = host.map_err(|error| unreadable(&root.display().to_string(), error))?;
        write_page(path, &Frozen::host(&host.name, &host))?;
    } else if args.json {
        print_json(&inventory)?;
    } else {
        let table = table(&inventory.cards, only.is_some_and(|(_, domain)| domain.is_some()));
        write!(anstream::stdout(), "{table}")?;
    }
    Ok(0)
}

/// `04`, `card04`, `04.0006`.
fn parse(text: &str) -> Result<(AdapterId, Option<u8>), CliError> {
    let hex = |digits: &str, most: usize| {
        let fits =
            (1..=most).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        u16::from_str_radix(digits, 16).ok().filter(|_| fits).and_then(|id| u8::try_from(id).ok())
    };
    let name = text.strip_prefix("card").unwrap_or(text);
    let parsed = match name.split_once('.') {
        Some((card, domain)) => hex(card, 2).zip(hex(domain, 4)).map(|(card, domain)| (card, Some(domain))),
        None => hex(name, 2).map(|card| (card, None)),
    };
    let (card, domain) = parsed.ok_or_else(|| {
        CliError::usage(format!("`{text}` is not a card or queue"))
            .hint("expected hex as in their names: 04, 04.0006")
    })?;
    Ok((AdapterId(card), domain))
}

fn table(cards: &[Card], queues_only: bool) -> String {
    let heading = ["CARD.DOM", "TYPE", "MODE", "DRIVER", "STATE", "OWNER"].map(str::to_owned);
    let mut rows = vec![heading];
    for card in cards {
        if !queues_only {
            rows.push(card_row(card));
        }
        rows.extend(card.queues.iter().map(|queue| queue_row(card, queue)));
    }
    let widths: [usize; 6] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0));
    let line = |row: &[String; 6]| {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

fn or_dash(text: Option<&str>) -> String {
    text.unwrap_or("-").to_owned()
}

fn card_row(card: &Card) -> [String; 6] {
    let state = state(card.config, card.checkstopped, card.online, None);
    [
        card.card.clone(),
        or_dash(card.kind.as_deref()),
        or_dash(card.mode.as_deref()),
        or_dash(card.driver.as_deref()),
        state,
        String::new(),
    ]
}

fn queue_row(card: &Card, queue: &Queue) -> [String; 6] {
    let mut owner = match &queue.owner {
        Owner::Host => "host".to_owned(),
        Owner::Mdev { mdev } => format!("mdev {mdev}"),
        Owner::Guest { mdev, guest: None } => format!("guest, mdev {mdev}"),
        Owner::Guest { mdev, guest: Some(guest) } => format!("guest {guest}, mdev {mdev}"),
        Owner::Free => "free".to_owned(),
        Owner::None => "-".to_owned(),
    };
    if let Some(name) = &queue.overridden {
        owner.push_str(&format!(", override {name}"));
    }
    let state = state(queue.config, queue.checkstopped, queue.online, queue.status.as_deref());
    let driver = or_dash(queue.driver.as_deref());
    [queue.queue.clone(), or_dash(card.kind.as_deref()), or_dash(card.mode.as_deref()), driver, state, owner]
}

fn state(
    config: Option<bool>,
    checkstopped: Option<bool>,
    online: Option<bool>,
    status: Option<&str>,
) -> String {
    match (config, checkstopped, online) {
        (Some(false), _, _) => "deconfigured".to_owned(),
        (_, Some(true), _) => "checkstopped".to_owned(),
        (_, _, Some(true)) => "online".to_owned(),
        (_, _, Some(false)) => "offline".to_owned(),
        (_, _, None) => or_dash(status),
    }
}
