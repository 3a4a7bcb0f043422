//! The modes besides client and server, run by the engine of ntpd in worlds of their own.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

mod broadcast;
mod hosts;
mod manycast;
mod symmetric;
