//! The simulated Trust Hub as its users see it: over HTTP, with Twilio's own libraries, and with the bridge behind it.

mod callbacks;
mod client;
mod clients;
mod contract;
mod control;
mod fuzz;
mod guide;
mod scale;
