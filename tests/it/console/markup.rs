//! What `make console` checks in a browser, as far as the text of a page shows it.

use std::collections::BTreeSet;

use test_support::{ACCOUNT, Bridge, PROFILE, Request, wait_for};

use super::{get, send, start_with};

/// Elements without an end tag.
const VOID: [&str; 4] = ["meta", "link", "input", "!DOCTYPE"];

/// The only elements that may be inside these.
const CHILDREN: [(&str, &[&str]); 6] = [
    ("ul", &["li"]),
    ("ol", &["li"]),
    ("dl", &["div"]),
    ("tr", &["th", "td"]),
    ("table", &["caption", "thead", "tbody"]),
    ("select", &["option"]),
];

/// A paragraph ends where one of these begins.
const BLOCKS: [&str; 10] = ["div", "p", "ul", "ol", "dl", "table", "pre", "section", "form", "h2"];

/// A start tag.
#[derive(Debug)]
struct Element<'p> {
    name: &'p str,
    attributes: Vec<(&'p str, &'p str)>,
    /// The names of the elements around it, from the outermost.
    around: Vec<&'p str>,
}

impl<'p> Element<'p> {
    fn attribute(&self, name: &str) -> Option<&'p str> {
        self.attributes.iter().find(|(found, _)| *found == name).map(|(_, value)| *value)
    }

    fn is_named(&self, label_targets: &BTreeSet<&str>) -> bool {
        self.around.contains(&"label") || self.attribute("id").is_some_and(|id| label_targets.contains(id))
    }
}

/// The elements of a page whose text and attributes are escaped, and what is wrong with their nesting.
fn parse(page: &str) -> (Vec<Element<'_>>, Vec<String>) {
    let (mut elements, mut open, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for tag in page.split('<').skip(1).filter_map(|rest| rest.split('>').next()) {
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name) {
                problems.push(format!("</{name}> closes another element"));
            }
            continue;
        }
        let (name, rest) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut parts = rest.split('"');
        let mut attributes = Vec::new();
        while let Some(name) = parts.next().map(str::trim).filter(|name| !name.is_empty()) {
            // Without a value, as in `hidden`, several names can stand before the next value.
            let (bare, last) = name.rsplit_once(' ').unwrap_or(("", name));
            attributes.extend(bare.split(' ').filter(|name| !name.is_empty()).map(|name| (name, "")));
            attributes.push((last.trim_end_matches('='), parts.next().unwrap_or_default()));
        }
        elements.push(Element { name, attributes, around: open.clone() });
        if !VOID.contains(&name) {
            open.push(name);
        }
    }
    problems.extend(open.iter().map(|name| format!("<{name}> is not closed")));
    (elements, problems)
}

/// What is wrong with a page, one sentence each.
fn faults(page: &str) -> Vec<String> {
    let (elements, mut faults) = parse(page);
    let ids: Vec<_> = elements.iter().filter_map(|element| element.attribute("id")).collect();
    let unique: BTreeSet<_> = ids.iter().copied().collect();
    let labels = elements.iter().filter(|element| element.name == "label");
    let label_targets: BTreeSet<_> = labels.filter_map(|label| label.attribute("for")).collect();
    let mut check = |holds: bool, fault: String| {
        if !holds {
            faults.push(fault);
        }
    };
    check(ids.len() == unique.len(), format!("an id occurs twice: {ids:?}"));
    check(page.contains(r#"<html lang="en">"#), "the language is missing".to_owned());
    let mut level = 0;
    for element in &elements {
        let parent = element.around.last().copied().unwrap_or_default();
        let allowed = CHILDREN.iter().find(|(name, _)| *name == parent).map(|(_, children)| *children);
        check(allowed.is_none_or(|allowed| allowed.contains(&element.name)), format!("{parent} contains {element:?}"));
        let is_block_in_text = BLOCKS.contains(&element.name) && ["p", "span", "a", "label"].contains(&parent);
        check(!is_block_in_text, format!("{parent} contains {element:?}"));
        check(element.name != "a" || !element.around.contains(&"a"), format!("a link is in a link: {element:?}"));
        let heading = element.name.strip_prefix('h').and_then(|level| level.parse::<usize>().ok());
        if let Some(heading) = heading {
            check(heading <= level + 1 && (heading > 1 || level == 0), format!("h{heading} follows h{level}"));
            level = heading;
        }
        let needs_name = ["input", "select", "textarea"].contains(&element.name);
        check(!needs_name || element.is_named(&label_targets), format!("no label: {element:?}"));
        check(element.name != "th" || element.attribute("scope").is_some(), format!("no scope: {element:?}"));
        for name in ["aria-labelledby", "aria-describedby", "for"] {
            let target = element.attribute(name);
            check(target.is_none_or(|id| unique.contains(id)), format!("{name} leads nowhere: {element:?}"));
        }
        let has_script = element.attributes.iter().any(|(name, _)| name.starts_with("on") || *name == "style");
        check(!has_script && element.name != "style", format!("a script or style: {element:?}"));
        let url = element.attribute("href").or(element.attribute("src")).unwrap_or("/");
        let is_own = (url.starts_with('/') && !url.starts_with("//")) || url == "#content";
        let is_of_twilio = url.starts_with("https://console.twilio.com/") || url.starts_with("https://www.twilio.com/");
        check(is_own || (is_of_twilio && element.name == "a"), format!("it leads elsewhere: {element:?}"));
    }
    let count = |name: &str| elements.iter().filter(|element| element.name == name).count();
    check((count("h1"), count("main")) == (1, 1), "there is not one heading and one main part".to_owned());
    check(count("table") == count("caption"), "a table has no caption".to_owned());
    check(unique.contains("content") && page.contains(r##"href="#content""##), "nothing skips the header".to_owned());
    faults
}

#[test]
fn every_page_is_valid_and_can_be_used_without_a_mouse_or_a_screen() {
    let bridge = start_with(&[]);
    let signed =
        |body: &str| Request::form("/callbacks/customer-profiles", &format!("AccountSid={ACCOUNT}&{body}")).signed();
    let rejected = format!("BundleSid={PROFILE}&Status=twilio-rejected&ErrorCode=18602,99999&FailureReason=a+reason");
    for request in [signed(&rejected), signed("Status=draft")] {
        assert_eq!(bridge.send(&request).status, 204);
    }
    assert_eq!(bridge.send(&Request::form("/callbacks/customer-profiles", "")).status, 403);
    let letter = bridge.dead_letters(1).remove(0);
    let letter = format!("/dead-letters/{}/{}", letter.partition, letter.offset);
    let profile = format!("/profiles/{PROFILE}");
    wait_for("the profile is listed", || (get(&bridge, &profile).status == 200).then_some(()));
    let paths = [
        ("/", 200),
        ("/live", 200),
        ("/live?outcome=rejected&text=a", 200),
        ("/profiles", 200),
        ("/profiles?q=no+such+profile", 200),
        ("/profiles?sort=color", 400),
        (&profile, 200),
        (&format!("{profile}?personal=1"), 200),
        ("/dead-letters", 200),
        (&letter, 200),
        (&format!("{letter}?personal=1"), 200),
        ("/explain", 200),
        ("/nothing", 404),
    ];
    for (path, status) in paths {
        let page = get(&bridge, path);
        assert_eq!((page.status, faults(&page.body)), (status, Vec::new()), "{path}: {}", page.body);
    }
    assert_eq!(faults(&explained(&bridge)), [] as [String; 0]);
}

/// The page that explains a request.
fn explained(bridge: &Bridge) -> String {
    let form = "request=POST+%2Fcallbacks%2Fcustomer-profiles+HTTP%2F1.1%0AHost%3A+a.example%0A%0AStatus%3Ddraft";
    let origin = format!("http://{}", bridge.console.unwrap());
    let answer = send(bridge, Request::form("/explain", form).with("Origin", &origin));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

#[test]
fn each_fault_of_a_page_is_noticed() {
    let page = |body: &str| {
        format!(
            "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"></head><body><a href=\"#content\">Skip</a>\
             <main id=\"content\"><h1>Now</h1>{body}</main></body></html>"
        )
    };
    assert_eq!(
        faults(&page("<p hidden class=\"note\">Text</p><label>A <input name=\"a\" required></label>")),
        [] as [&str; 0]
    );
    for body in [
        "<p>open",
        "<p><div>block</div></p>",
        "<h3>skips a level</h3>",
        "<h1>another</h1>",
        "<input name=\"a\">",
        "<label for=\"b\">nowhere</label>",
        "<table><thead></thead></table>",
        "<table><caption>a</caption><tr><td>no body</td></tr></table>",
        "<table><caption>a</caption><tbody><tr><th>no scope</th></tr></tbody></table>",
        "<ul><p>no item</p></ul>",
        "<p id=\"content\">twice</p>",
        "<p onclick=\"a()\">script</p>",
        "<p style=\"a\">style</p>",
        "<a href=\"https://evil.example\">elsewhere</a>",
        "<a href=\"//evil.example\">elsewhere</a>",
        "<script src=\"https://www.twilio.com/a.js\"></script>",
        "<a href=\"/\"><a href=\"/\">nested</a></a>",
    ] {
        assert_ne!(faults(&page(body)), [] as [&str; 0], "{body}");
    }
}
