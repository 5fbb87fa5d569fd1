//! `docs/rejections.md`, the page for people whose profile was rejected.

use super::{
    super::{CATALOG, CatalogEntry, CodeFamily},
    generated::{assert_generated, wrapped},
};

const WIDTH: usize = 120;

const INTRODUCTION: &str = "\
# My profile was rejected: what now?

<!-- Generated from crates/trusthub-events/src/error_code by `make schemas`. Do not edit. -->

Twilio gives the reasons for a rejection as error codes. This page says for each code what is wrong, why Twilio says so,
and what to do about it. The texts are this project's own; the link of each code leads to Twilio's.

## Where the codes are

- In the event: `errors` has each code with its `meaning` and a `message`, and `failure_reason` has Twilio's own words.
  See [events.md](events.md#error-codes).
- In the alert [TrusthubProfileRejected](operations.md#trusthubprofilerejected), and in the label `code` of the metric
  `trusthub_profile_rejections_total`.
- At Twilio: in the Console on the page of the profile, in the e-mail to the profile's address, and in the field
  `errors` of the profile in the API.

## What to do

1. Read the failure reason first. It is more specific than a code: it may name the field, the document or the person.
2. Look up each code below, and correct everything at once. Each submission is a review of its own, which takes days.
3. Submit the profile again: in the Console, or with `Status=pending-review` in the API. A rejected profile can be
   edited; one in review cannot.
4. Wait for the event with the status `twilio-approved`.

### Unknown code

A code that is not on this page has the `meaning` `null` in the event and the label `other` in the metric, and is most
likely newer than this version. Twilio explains it at `https://www.twilio.com/docs/api/errors/CODE`. A number that only
the failure reason mentions becomes a code of the event only if it is a code of a rejection on this page and is not
written as a US ZIP code, such as `PA 18018` or `18018-1234`. It may still be a postal code: compare the `meaning` with
the text.

### No code

A rejection without a code has an empty list of `errors` in the event and the label `none` in the metric. The failure
reason then says what is wrong. When it is empty as well, and the profile was approved before, the approval has most
likely expired: bring the profile up to date, and submit it again.
";

#[test]
fn page_of_rejections_is_generated_from_the_catalog() {
    assert_generated("docs/rejections.md", |_| {
        CATALOG.iter().fold(INTRODUCTION.to_owned(), |page, family| page + &section(family))
    });
}

fn section(family: &CodeFamily) -> String {
    let heading = format!("\n## {}\n\n{}", family.title, wrapped(family.about, "", WIDTH));
    family.entries.iter().fold(heading, |section, entry| section + &explanation(entry))
}

/// The heading is the code alone, so that the anchor is as well.
fn explanation(CatalogEntry { code, text: _, meaning, message, cause, cure }: &CatalogEntry) -> String {
    let item = |text: &str| wrapped(text, "  ", WIDTH).replacen("  ", "- ", 1);
    let items = item(&format!("Why: {cause}")) + &item(&format!("What to do: {cure}"));
    let twilio = format!("[Twilio's page](https://www.twilio.com/docs/api/errors/{code})");
    format!("\n### {code}\n\n**{message}**\n\n{items}- Name in events: `{meaning}`\n- {twilio}\n")
}
