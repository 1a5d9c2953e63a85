//! The engine: executes programs, learns from that, and goes through their interleavings.
//!
//! Everything in here is private. Modules are listed in groups, from the bottom up: none uses one of a later group, and
//! no two use each other.

pub(crate) mod fpset;
pub(crate) mod mix;
pub(crate) mod source;
pub(crate) mod tasks;
pub(crate) mod visited;
// What programs are made of.
pub(crate) mod clocks;
pub(crate) mod cycles;
pub(crate) mod deadlock;
pub(crate) mod knowledge;
pub(crate) mod lock_sets;
pub(crate) mod mistakes;
pub(crate) mod model;
pub(crate) mod objects;
pub(crate) mod races;
pub(crate) mod reach;
// What is learned over all executions, and the one that runs.
pub(crate) mod automaton;
pub(crate) mod conductor;
pub(crate) mod control;
pub(crate) mod executor;
pub(crate) mod findings;
pub(crate) mod graph;
pub(crate) mod learned;
pub(crate) mod mode;
pub(crate) mod past;
pub(crate) mod problem;
pub(crate) mod run;
pub(crate) mod trace;
// Which states need not be looked at.
pub(crate) mod claims;
pub(crate) mod effects;
pub(crate) mod frozen;
pub(crate) mod futures;
pub(crate) mod lessons;
pub(crate) mod log;
pub(crate) mod persistent;
pub(crate) mod print;
pub(crate) mod rules;
pub(crate) mod state;
pub(crate) mod transactions;
// Searches.
pub(crate) mod collect;
pub(crate) mod depend;
pub(crate) mod executions;
pub(crate) mod random;
pub(crate) mod warm;
// Over states.
pub(crate) mod audit;
pub(crate) mod cache;
pub(crate) mod replay;
pub(crate) mod rounds;
pub(crate) mod shrink;
pub(crate) mod tree;
pub(crate) mod ways;
