//! What is shown, as JSON: a whole moment, what changed since another one, what is said of a selection.
//!
//! Rows are texts with a letter for each domain: 65,536 queues are 131 kB, and a row that changed is half a kilobyte.

use ap_view::{Detail, Host, Mark, Reply, Selection, Shown, Verdict, Whose};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A whole moment: `apmatrix.view/1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct State {
    /// Always `apmatrix.view/1`.
    pub schema: &'static str,
    /// Counted from 1: a later moment has a larger number.
    pub moment: u64,
    /// The machine's name, or where its tree is.
    pub name: String,
    /// The kernel's version, where the host tells it.
    pub kernel: Option<String>,
    /// Whether `POST /api/operate` is answered.
    pub operable: bool,
    /// Why this is not the newest, if it is not.
    pub trouble: Option<String>,
    /// What to beware of, a sentence each.
    pub notes: Vec<String>,
    /// What letters mean.
    pub legend: Legend,
    /// The columns, ascending.
    pub domains: Vec<Domain>,
    /// The rows, ascending.
    pub adapters: Vec<Adapter>,
    /// The mediated devices, by number.
    pub mdevs: Vec<Mdev>,
    /// apmask and aqmask.
    pub masks: Masks,
    /// The last events, oldest first.
    pub events: Vec<Event>,
}

/// What letters mean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Legend {
    /// Of owners.
    pub owners: Vec<Letter>,
    /// Of marks.
    pub marks: Vec<Letter>,
}

/// What a letter means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Letter {
    /// The letter.
    pub letter: char,
    /// In a word.
    pub name: String,
    /// In a few words.
    pub text: String,
}

/// A usage domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Domain {
    /// 71.
    pub id: u8,
    /// `0047`.
    pub name: String,
    /// Whether aqmask has it.
    pub reserved: bool,
}

/// An adapter, with its row of queues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Adapter {
    /// 10.
    pub id: u8,
    /// `0a`.
    pub name: String,
    /// `CEX8P`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// `accel`, `cca`, `ep11`.
    pub mode: Option<String>,
    /// Its serial number.
    pub serial: Option<String>,
    /// `online`, `offline`, `deconfigured`, `checkstopped`; empty if it does not say, or is not there.
    pub state: String,
    /// Whether there is such an adapter; mediated devices may want others.
    pub there: bool,
    /// Whether apmask has it.
    pub reserved: bool,
    /// A letter for each domain: whose the queue is.
    pub owners: String,
    /// A letter for each domain: what is unusual about the queue; a space if nothing is.
    pub marks: String,
}

/// A mediated device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Mdev {
    /// By which cells name it, from 1.
    pub number: usize,
    /// Its name.
    pub uuid: String,
    /// Whether a guest runs on it.
    pub runs: bool,
    /// Who has it open, in words.
    pub holder: Option<String>,
    /// Its adapters.
    pub adapters: Vec<u8>,
    /// Its usage domains.
    pub domains: Vec<u8>,
    /// Its control domains.
    pub control_domains: Vec<u8>,
    /// The adapters that its guest gets, or would get.
    pub guest_adapters: Vec<u8>,
    /// The usage domains that its guest gets, or would get.
    pub guest_domains: Vec<u8>,
    /// Why its guest does not get the others, a sentence each.
    pub filtered: Vec<String>,
}

/// apmask and aqmask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Masks {
    /// As the file shows it.
    pub apmask: String,
    /// As the file shows it.
    pub aqmask: String,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Event {
    /// Counted from 1.
    pub number: u64,
    /// What.
    pub text: String,
}

/// What changed since the moment that was sent before: `apmatrix.view-change/1`. What is `null` or not there is as
/// before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Change {
    /// Always `apmatrix.view-change/1`.
    pub schema: &'static str,
    /// The moment after it.
    pub moment: u64,
    /// Why this is not the newest, if it is not.
    pub trouble: Option<String>,
    /// The rows that changed.
    pub adapters: Vec<Adapter>,
    /// All columns, if one of them changed.
    pub domains: Option<Vec<Domain>>,
    /// All mediated devices, if one of them changed.
    pub mdevs: Option<Vec<Mdev>>,
    /// The masks, if one of them changed.
    pub masks: Option<Masks>,
    /// The events since.
    pub events: Vec<Event>,
}

/// What is said of a selection: `apmatrix.view-detail/1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Details {
    /// Always `apmatrix.view-detail/1`.
    pub schema: &'static str,
    /// What was selected: `04.0047`, `04`, `.0047`, an mdev's name; `null` for the host.
    pub select: Option<String>,
    /// What it is.
    pub title: String,
    /// Whose it is and why: sentences.
    pub reasons: Vec<String>,
    /// What its attributes say.
    pub facts: Vec<Fact>,
    /// What could be done next.
    pub actions: Vec<Action>,
}

/// An attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Fact {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Something that could be done next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Action {
    /// In a few words.
    pub label: String,
    /// The line that does it.
    pub line: String,
    /// `yes`: it would be done; `no`: refused; `unasked`: no rule of writes says.
    pub verdict: &'static str,
    /// What would change, or why it would be refused.
    pub text: Option<String>,
    /// What write(2) would answer; none if it would wait.
    pub errno: Option<&'static str>,
    /// The same in a few words, if it would not be done.
    pub answer: Option<&'static str>,
    /// The smallest change that would make it possible.
    pub remedy: Option<String>,
}

/// An operation: `apmatrix.view-operate/1`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Operate {
    /// `echo TEXT > /sys/PATH`, `hw …` or `guest …`.
    pub line: String,
}

/// What an operation said: `apmatrix.view-said/1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Said {
    /// Always `apmatrix.view-said/1`.
    pub schema: &'static str,
    /// Whether it was done. If it was neither done nor refused yet, the answer's status is 202, and what becomes of it
    /// will be an event.
    pub done: bool,
    /// What it said, or why it was refused.
    pub text: String,
}

/// What was found: `apmatrix.view-found/1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Found {
    /// Always `apmatrix.view-found/1`.
    pub schema: &'static str,
    /// As `select` takes it; `null`: nothing.
    pub select: Option<String>,
}

/// The JSON schema of everything that the server sends and takes.
#[must_use]
pub fn schema() -> String {
    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is wanted")]
    struct Documents {
        state: State,
        change: Change,
        detail: Details,
        operate: Operate,
        said: Said,
        found: Found,
    }
    let schema = schemars::schema_for!(Documents);
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}

impl State {
    /// A moment.
    #[must_use]
    pub fn of(shown: &Shown) -> State {
        let events = shown.events.iter();
        State {
            moment: shown.moment,
            operable: shown.operable,
            trouble: shown.trouble.clone(),
            events: events.map(|event| Event { number: event.number, text: event.text.clone() }).collect(),
            ..State::of_host(&shown.host)
        }
    }

    /// A host that does not live.
    #[must_use]
    pub fn of_host(host: &Host) -> State {
        let domains: Vec<_> = host.domains().iter().collect();
        let masks = &host.state.masks;
        State {
            schema: "apmatrix.view/1",
            moment: 1,
            name: host.name.clone(),
            kernel: host.kernel.clone(),
            operable: false,
            trouble: None,
            notes: host.notes.clone(),
            legend: Legend::new(),
            adapters: host
                .adapters()
                .iter()
                .map(|id| {
                    let card = host.cards.get(&id);
                    let row = host.row(id, &domains);
                    Adapter {
                        id: id.0,
                        name: id.to_string(),
                        kind: card.and_then(|card| card.kind.clone()),
                        mode: card.and_then(|card| card.mode.clone()),
                        serial: card.and_then(|card| card.serial.clone()),
                        state: card.map_or("", |card| card.state()).to_owned(),
                        there: card.is_some(),
                        reserved: masks.adapters.contains(id),
                        owners: row.iter().map(|cell| cell.whose.letter()).collect(),
                        marks: row.iter().map(|cell| cell.mark.map_or(' ', Mark::letter)).collect(),
                    }
                })
                .collect(),
            domains: domains
                .iter()
                .map(|id| Domain { id: id.0, name: id.to_string(), reserved: masks.domains.contains(*id) })
                .collect(),
            mdevs: (1..)
                .zip(&host.state.mdevs)
                .map(|(number, (uuid, mdev))| Mdev {
                    number,
                    uuid: uuid.to_string(),
                    runs: mdev.holder.is_some(),
                    holder: mdev.holder.as_ref().map(ToString::to_string),
                    adapters: mdev.matrix.adapters.iter().map(u8::from).collect(),
                    domains: mdev.matrix.domains.iter().map(u8::from).collect(),
                    control_domains: mdev.matrix.control_domains.iter().map(u8::from).collect(),
                    guest_adapters: mdev.shadow.adapters.iter().map(u8::from).collect(),
                    guest_domains: mdev.shadow.domains.iter().map(u8::from).collect(),
                    filtered: host.state.why_filtered(mdev).iter().map(ToString::to_string).collect(),
                })
                .collect(),
            masks: Masks { apmask: masks.adapters.to_string(), aqmask: masks.domains.to_string() },
            events: Vec::new(),
        }
    }

    /// What changed since `before`; `None` if rows or columns came or went: then a whole moment has to be sent.
    #[must_use]
    pub fn since(&self, before: &State) -> Option<Change> {
        let ids = |state: &State| -> (Vec<u8>, Vec<u8>) {
            let (adapters, domains) = (state.adapters.iter(), state.domains.iter());
            (adapters.map(|adapter| adapter.id).collect(), domains.map(|domain| domain.id).collect())
        };
        if ids(self) != ids(before) || self.notes != before.notes || self.name != before.name {
            return None;
        }
        let last = before.events.last().map_or(0, |event| event.number);
        let rows = self.adapters.iter().zip(&before.adapters);
        Some(Change {
            schema: "apmatrix.view-change/1",
            moment: self.moment,
            trouble: self.trouble.clone(),
            adapters: rows.filter(|(new, old)| new != old).map(|(new, _)| new.clone()).collect(),
            domains: (self.domains != before.domains).then(|| self.domains.clone()),
            mdevs: (self.mdevs != before.mdevs).then(|| self.mdevs.clone()),
            masks: (self.masks != before.masks).then(|| self.masks.clone()),
            events: self.events.iter().filter(|event| event.number > last).cloned().collect(),
        })
    }
}

impl Legend {
    fn new() -> Legend {
        Legend {
            owners: Whose::ALL
                .map(|whose| Letter {
                    letter: whose.letter(),
                    name: whose.name().to_owned(),
                    text: whose.legend().to_owned(),
                })
                .to_vec(),
            marks: Mark::ALL
                .map(|mark| Letter {
                    letter: mark.letter(),
                    name: mark.legend().split(':').next().unwrap_or_default().to_owned(),
                    text: mark.legend().to_owned(),
                })
                .to_vec(),
        }
    }
}

impl Details {
    /// What is said of a selection.
    #[must_use]
    pub fn of(detail: &Detail, select: Option<Selection>) -> Details {
        let facts = detail.facts.iter();
        Details {
            schema: "apmatrix.view-detail/1",
            select: select.map(|select| select.to_string()),
            title: detail.title.clone(),
            reasons: detail.reasons.clone(),
            facts: facts
                .map(|(name, value)| Fact { name: (*name).to_owned(), value: value.clone() })
                .collect(),
            actions: detail.actions.iter().map(Action::of).collect(),
        }
    }
}

impl Action {
    fn of(action: &ap_view::Action) -> Action {
        let (verdict, text, answer, remedy) = match &action.verdict {
            Verdict::Done(effect) => ("yes", Some(effect.clone()), None, None),
            Verdict::Unasked => ("unasked", None, None, None),
            Verdict::Refused { answer, why, remedy } => {
                ("no", Some(why.clone()), Some(*answer), Some(remedy.clone()))
            }
        };
        Action {
            label: action.label.clone(),
            line: action.operation.to_string(),
            verdict,
            text,
            errno: answer.and_then(Reply::errno),
            answer: answer.map(Reply::words),
            remedy,
        }
    }
}
