//! A raw HTTP request, such as one from a proxy's log or a packet sniffer.

use twilio_signature::{RawRequest, parse_request};

use super::captured::{Capture, CaptureError, excess_note};

pub(super) fn read(text: &[u8]) -> Result<Capture, CaptureError> {
    let RawRequest { method, target, headers, body, excess } = parse_request(text)?;
    let notes = if excess > 0 { vec![excess_note(excess)] } else { Vec::new() };
    Ok(Capture { method, target, headers, body, notes })
}
