//! `apmatrix ls`: cards, queues, drivers, owners.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::PathBuf;

use ap_apply::tree::{Kind, Tree};
use ap_files::boot;
use ap_serve::page::Frozen;
use ap_sysfs::ids;
use ap_types::AdapterId;

use crate::commands::{MachineArgs, Root, print_json, write_page};
use crate::complete;
use crate::error::{CliError, Outcome};
use crate::inventory::{Card, Inventory, Mdev, Owner, Queue};
use crate::plan::host::unreadable;
use crate::plan::tree::FileTree;
use crate::terminal::{Table, width, wrapped};

/// Of more queues that are not there not every one is named.
const MOST_NAMED: usize = 8;

/// List cards, queues, drivers and owners, of an emulated or a real host
///
/// A number alone is decimal, or hex after 0x: 10, 0x0a. A name as in sysfs is hex and has all its digits: card0a, 0a.0047.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    apmatrix ls                                         this host, or inside `apmatrix run` the machine\n  \
    apmatrix ls 04\n  \
    apmatrix ls --machine mine.toml                     of a machine file, as it comes up\n  \
    apmatrix ls 04.0006 --json\n  \
    apmatrix ls --json | jq '.cards[].queues[] | select(.owner.guest)'\n  \
    apmatrix ls --html matrix.html                      a page to look at, or to send to somebody\n  \
    apmatrix ls --root /mnt/ap")]
pub struct Args {
    #[command(flatten)]
    root: Root,
    /// Of a built-in machine or a machine file as it is right after it has booted, instead of a tree
    #[arg(long, value_name = "M", conflicts_with = "root", add = complete::machines())]
    machine: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Write a page that shows it to this file, for a browser: complete, and asks nobody
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "only"], value_hint = clap::ValueHint::FilePath)]
    html: Option<PathBuf>,
    /// Only this card (4, 0x04, card04) or queue (04.0006)
    #[arg(value_name = "CARD[.DOMAIN]", add = complete::devices())]
    only: Option<String>,
}

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    match &args.machine {
        Some(name) => list(&mut boot(&MachineArgs::named(name).load()?)?, name, args),
        None => list(&mut FileTree::new(&args.root.root), &args.root.root.display().to_string(), args),
    }
}

/// Lists a tree that is called so.
fn list(tree: &mut dyn Tree, root: &str, args: &Args) -> Outcome {
    let only = args.only.as_deref().map(parse).transpose()?;
    let inventory = read(tree, root, only)?;
    if let Some(path) = &args.html {
        let host = ap_view::read::read(tree, root).map_err(|error| unreadable(root, error))?;
        write_page(path, &Frozen::host(&host.name, &host))?;
    } else if args.json {
        print_json(&inventory)?;
    } else {
        write!(anstream::stdout(), "{}", shown(&inventory, only, width()))?;
    }
    Ok(0)
}

/// What the command prints of a tree, in that width.
///
/// # Errors
/// If there is no bus, or not what was asked for.
pub fn text(tree: &mut dyn Tree, root: &str, only: Option<&str>, width: usize) -> Result<String, CliError> {
    let only = only.map(parse).transpose()?;
    Ok(shown(&read(tree, root, only)?, only, width))
}

/// A card, or a queue of it.
type Only = (AdapterId, Option<u8>);

fn read(tree: &mut dyn Tree, root: &str, only: Option<Only>) -> Result<Inventory, CliError> {
    let mut inventory = Inventory::read(tree).map_err(|fault| {
        let shown = match fault.kind {
            Kind::NotFound => CliError::environment(format!("there is no AP bus at {root}/bus/ap")).hint(
                "on a real host load the module `ap`; for an emulated one: `apmatrix run -- apmatrix ls`",
            ),
            _ => CliError::environment(format!("{root}/bus/ap: {}", fault.said)),
        };
        shown.because(fault)
    })?;
    let Some((adapter, domain)) = only else { return Ok(inventory) };
    let cards: Vec<String> = inventory.cards.iter().map(|card| format!("card{}", card.card)).collect();
    if inventory.keep(adapter, domain) {
        return Ok(inventory);
    }
    let shown = cards.iter().take(8).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if cards.len() > 8 { ", …" } else { "" };
    let hint = match cards.as_slice() {
        [] => "there are no cards at all".to_owned(),
        _ => format!("there are {shown}{more}; `apmatrix ls` lists all queues"),
    };
    let error = CliError::failed(match domain {
        Some(domain) => format!("there is no queue {adapter}.{domain:04x}"),
        None => format!("there is no card{adapter} (adapter {})", adapter.0),
    });
    Err(error.hint(hint))
}

fn shown(inventory: &Inventory, only: Option<Only>, width: usize) -> String {
    let queues_only = only.is_some_and(|(_, domain)| domain.is_some());
    let (in_full, lines) = table(&inventory.cards, queues_only, &|uuid| uuid.to_owned(), width);
    let mut text = in_full;
    if text.lines().count() > lines {
        // One line for each queue where it fits, for `grep`: mdevs are told below, by their numbers.
        let numbers: BTreeMap<&str, usize> =
            inventory.mdevs.iter().map(|mdev| mdev.uuid.as_str()).zip(1..).collect();
        let number = |uuid: &str| numbers.get(uuid).map_or_else(|| uuid.to_owned(), ToString::to_string);
        text = table(&inventory.cards, queues_only, &number, width).0;
        let owners =
            inventory.cards.iter().flat_map(|card| &card.queues).filter_map(|queue| queue.owner.mdev());
        let named: BTreeSet<&str> = owners.collect();
        let mut below = Table::indented(0);
        for mdev in inventory.mdevs.iter().filter(|mdev| named.contains(mdev.uuid.as_str())) {
            let guest = mdev.guest.as_ref().map_or_else(String::new, |guest| format!("guest {guest}"));
            below.row([format!("mdev {}", number(&mdev.uuid)), mdev.uuid.clone(), guest]);
        }
        text = text + "\n" + &below.render(width);
    }
    if only.is_none() {
        inventory.mdevs.iter().filter_map(absent).for_each(|line| text += &(wrapped(&line, width, 2) + "\n"));
    }
    text
}

/// That queues of an mdev are not there: they have no line of their own.
fn absent(mdev: &Mdev) -> Option<String> {
    let named: Vec<String> = mdev.absent.iter().take(MOST_NAMED).map(ToString::to_string).collect();
    let more = if mdev.absent.len() > MOST_NAMED { ", …" } else { "" };
    let named = named.join(", ");
    match (mdev.absent.len(), mdev.queues) {
        (0, _) => None,
        (1, 1) => Some(format!("mdev {}: its queue is not there: {named}", mdev.uuid)),
        (1, all) => Some(format!("mdev {}: 1 of its {all} queues is not there: {named}", mdev.uuid)),
        (absent, all) => {
            Some(format!("mdev {}: {absent} of its {all} queues are not there: {named}{more}", mdev.uuid))
        }
    }
}

/// A card (`4`, `0x04`, `card04`, `04` and `0a` as the table has it) or a queue (`04.0006`).
fn parse(text: &str) -> Result<Only, CliError> {
    let parsed = if text.contains('.') {
        ids::queue(text).map(|apqn| (apqn.adapter, Some(apqn.domain.0)))
    } else {
        let named = Some(text).filter(|text| text.len() == 2 && text.starts_with('0'));
        match named.and_then(|text| u8::from_str_radix(text, 16).ok()) {
            Some(adapter) => Ok((AdapterId(adapter), None)),
            None => ids::adapter(text).map(|adapter| (AdapterId(adapter), None)),
        }
    };
    parsed.map_err(|error| {
        let message = format!("`{text}` is no card or queue: {}", error.remedy);
        CliError::usage(message).hint(ids::RULE).because(error)
    })
}

/// The table, in which mdevs are called so; and how many rows it has.
fn table(
    cards: &[Card],
    queues_only: bool,
    called: &dyn Fn(&str) -> String,
    width: usize,
) -> (String, usize) {
    let heading = ["CARD.DOM", "TYPE", "MODE", "DRIVER", "STATE", "OWNER"].map(str::to_owned);
    let mut rows = vec![heading];
    for card in cards {
        if !queues_only {
            rows.push(card_row(card));
        }
        rows.extend(card.queues.iter().map(|queue| queue_row(card, queue, called)));
    }
    let count = rows.len();
    let mut table = Table::indented(0);
    rows.into_iter().for_each(|row| table.row(row));
    (table.render(width), count)
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

fn queue_row(card: &Card, queue: &Queue, called: &dyn Fn(&str) -> String) -> [String; 6] {
    let mut owner = match &queue.owner {
        Owner::Host => "host".to_owned(),
        Owner::Mdev { mdev, filtered: false } => format!("mdev {}", called(mdev)),
        Owner::Mdev { mdev, filtered: true } => format!("filtered out, mdev {}", called(mdev)),
        Owner::Guest { mdev, guest: None } => format!("guest, mdev {}", called(mdev)),
        Owner::Guest { mdev, guest: Some(guest) } => format!("guest {guest}, mdev {}", called(mdev)),
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
