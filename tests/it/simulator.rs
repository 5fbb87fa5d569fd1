//! The Trust Hub simulator as its users see it: over HTTP, with Twilio's own libraries, and with the bridge as
//! receiver.

mod activity;
mod callbacks;
mod ci;
mod client;
mod clients;
mod contract;
mod control;
mod emails;
mod fuzz;
mod guide;
mod onboarding;
mod origins;
mod overview;
mod reviewer;
mod scale;
mod signing;
