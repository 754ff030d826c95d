//! The program as people start it: its flags, its words, its life from start to signal.

mod dev;
mod production;
mod program;
mod settings;
