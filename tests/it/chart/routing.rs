//! Tests the routes: the callback paths of the public URLs, at their hosts, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use trusthub_bridge::domain::{PublicUrl, Resource, callback_route};

use super::rendering::{Example, example, examples, list, text};

/// The paths at each host.
type Routed = BTreeMap<String, BTreeSet<String>>;

const RESOURCES: [Resource; 3] = [Resource::CustomerProfile, Resource::TrustProduct, Resource::RegulatoryBundle];

/// The routes that follow from the program's own parsing of the public URLs.
fn expected(example: &Example) -> Routed {
    let mut routed = Routed::new();
    for url in example.settings()["PUBLIC_URL"].split(',').map(|url| PublicUrl::parse(url.trim()).unwrap()) {
        let authority = url.as_str().split('/').nth(2).unwrap();
        let host = authority.split(':').next().unwrap().to_lowercase();
        let paths = RESOURCES.iter().map(|resource| format!("{}{}", url.prefix(), callback_route(*resource).unwrap()));
        routed.entry(host).or_default().extend(paths);
    }
    routed
}

fn by_ingress(example: &Example) -> Option<Routed> {
    let ingress = *example.of_kind("Ingress").first()?;
    let service = &example.only("StatefulSet")["metadata"]["name"];
    assert!(ingress["spec"]["defaultBackend"].is_null(), "{}", example.name);
    let rules = list(&ingress["spec"]["rules"]).map(|rule| {
        let paths = list(&rule["http"]["paths"]).map(|path| {
            assert_eq!(path["pathType"], "Exact", "{}", example.name);
            assert_eq!(path["backend"]["service"]["name"], *service, "{}", example.name);
            text(&path["path"]).to_owned()
        });
        (text(&rule["host"]).to_owned(), paths.collect())
    });
    Some(rules.collect())
}

fn by_gateway(example: &Example) -> Option<Routed> {
    let service = &example.only("StatefulSet")["metadata"]["name"];
    let routes = example.of_kind("HTTPRoute").into_iter().map(|route| {
        let spec = &route["spec"];
        assert!(list(&spec["parentRefs"]).count() > 0, "{}", example.name);
        let (hosts, rules): (Vec<_>, Vec<_>) = (list(&spec["hostnames"]).collect(), list(&spec["rules"]).collect());
        let ([host], [rule]) = (&hosts[..], &rules[..]) else { panic!("{}: {spec}", example.name) };
        assert_eq!(rule["backendRefs"][0]["name"], *service, "{}", example.name);
        let paths = list(&rule["matches"]).map(|condition| {
            assert_eq!(condition["path"]["type"], "Exact", "{}", example.name);
            text(&condition["path"]["value"]).to_owned()
        });
        (text(host).to_owned(), paths.collect())
    });
    let routed: Routed = routes.collect();
    (!routed.is_empty()).then_some(routed)
}

#[test]
fn routes_match_the_public_urls() {
    let mut compared = [0, 0];
    for example in examples() {
        let routed = [by_ingress(example), by_gateway(example)];
        for (count, routed) in compared.iter_mut().zip(routed) {
            if let Some(routed) = routed {
                assert_eq!(routed, expected(example), "{}", example.name);
                *count += 1;
            }
        }
    }
    assert!(compared.iter().all(|count| *count >= 3), "too few examples are routed: {compared:?}");
}

#[test]
fn hosts_have_their_own_prefixes_during_a_move() {
    let paths = |prefixes: &[&str]| {
        let each =
            |prefix| RESOURCES.iter().map(move |resource| format!("{prefix}{}", callback_route(*resource).unwrap()));
        prefixes.iter().flat_map(each).collect::<BTreeSet<_>>()
    };
    let routed = [
        ("hooks.example.com".to_owned(), paths(&["", "/old"])),
        ("hooks.example.org".to_owned(), paths(&["/trust-hub"])),
    ];
    assert_eq!(by_ingress(example("moving")), Some(Routed::from(routed.clone())));
    assert_eq!(by_gateway(example("moving")), Some(Routed::from(routed)));
}

#[test]
fn certificates_are_for_routed_hosts() {
    let mut compared = 0;
    for example in examples() {
        for ingress in example.of_kind("Ingress") {
            let hosts = expected(example).into_keys().collect::<BTreeSet<_>>();
            for certificate in list(&ingress["spec"]["tls"]) {
                let named: BTreeSet<_> = list(&certificate["hosts"]).map(|host| text(host).to_owned()).collect();
                assert!(!named.is_empty() && named.is_subset(&hosts), "{}: {certificate}", example.name);
                compared += 1;
            }
        }
    }
    assert!(compared >= 4, "only {compared} certificates were compared");
}
