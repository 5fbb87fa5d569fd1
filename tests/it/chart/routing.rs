//! What is routed: the callback paths of the public URLs, at their hosts, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use trusthub_bridge::domain::{PublicUrl, Resource};

use super::rendering::{Shape, list, shape, shapes, text};

/// The paths at each host.
type Routed = BTreeMap<String, BTreeSet<String>>;

const RESOURCES: [Resource; 3] = [Resource::CustomerProfile, Resource::TrustProduct, Resource::RegulatoryBundle];

/// What follows from the program's own reading of the public URLs.
fn expected(shape: &Shape) -> Routed {
    let mut routed = Routed::new();
    for url in shape.settings()["PUBLIC_URL"].split(',').map(|url| PublicUrl::parse(url.trim()).unwrap()) {
        let authority = url.as_str().split('/').nth(2).unwrap();
        let host = authority.split(':').next().unwrap().to_lowercase();
        let paths = RESOURCES.iter().map(|resource| format!("{}{}", url.prefix(), resource.route().unwrap()));
        routed.entry(host).or_default().extend(paths);
    }
    routed
}

fn by_ingress(shape: &Shape) -> Option<Routed> {
    let ingress = *shape.of_kind("Ingress").first()?;
    let service = &shape.only("StatefulSet")["metadata"]["name"];
    assert!(ingress["spec"]["defaultBackend"].is_null(), "{}", shape.name);
    let rules = list(&ingress["spec"]["rules"]).map(|rule| {
        let paths = list(&rule["http"]["paths"]).map(|path| {
            assert_eq!(path["pathType"], "Exact", "{}", shape.name);
            assert_eq!(path["backend"]["service"]["name"], *service, "{}", shape.name);
            text(&path["path"]).to_owned()
        });
        (text(&rule["host"]).to_owned(), paths.collect())
    });
    Some(rules.collect())
}

fn by_gateway(shape: &Shape) -> Option<Routed> {
    let service = &shape.only("StatefulSet")["metadata"]["name"];
    let routes = shape.of_kind("HTTPRoute").into_iter().map(|route| {
        let spec = &route["spec"];
        assert!(list(&spec["parentRefs"]).count() > 0, "{}", shape.name);
        let (hosts, rules): (Vec<_>, Vec<_>) = (list(&spec["hostnames"]).collect(), list(&spec["rules"]).collect());
        let ([host], [rule]) = (&hosts[..], &rules[..]) else { panic!("{}: {spec}", shape.name) };
        assert_eq!(rule["backendRefs"][0]["name"], *service, "{}", shape.name);
        let paths = list(&rule["matches"]).map(|condition| {
            assert_eq!(condition["path"]["type"], "Exact", "{}", shape.name);
            text(&condition["path"]["value"]).to_owned()
        });
        (text(host).to_owned(), paths.collect())
    });
    let routed: Routed = routes.collect();
    (!routed.is_empty()).then_some(routed)
}

#[test]
fn hosts_and_paths_are_those_of_the_public_urls() {
    let mut compared = [0, 0];
    for shape in shapes() {
        let routed = [by_ingress(shape), by_gateway(shape)];
        for (count, routed) in compared.iter_mut().zip(routed) {
            if let Some(routed) = routed {
                assert_eq!(routed, expected(shape), "{}", shape.name);
                *count += 1;
            }
        }
    }
    assert!(compared.iter().all(|count| *count >= 3), "too few shapes are routed: {compared:?}");
}

#[test]
fn while_moving_both_hosts_are_routed_each_with_its_own_prefixes() {
    let paths = |prefixes: &[&str]| {
        let each = |prefix| RESOURCES.iter().map(move |resource| format!("{prefix}{}", resource.route().unwrap()));
        prefixes.iter().flat_map(each).collect::<BTreeSet<_>>()
    };
    let routed = [
        ("hooks.example.com".to_owned(), paths(&["", "/old"])),
        ("hooks.example.org".to_owned(), paths(&["/trust-hub"])),
    ];
    assert_eq!(by_ingress(shape("moving")), Some(Routed::from(routed.clone())));
    assert_eq!(by_gateway(shape("moving")), Some(Routed::from(routed)));
}

#[test]
fn certificates_are_for_hosts_that_are_routed() {
    let mut compared = 0;
    for shape in shapes() {
        for ingress in shape.of_kind("Ingress") {
            let hosts = expected(shape).into_keys().collect::<BTreeSet<_>>();
            for certificate in list(&ingress["spec"]["tls"]) {
                let named: BTreeSet<_> = list(&certificate["hosts"]).map(|host| text(host).to_owned()).collect();
                assert!(!named.is_empty() && named.is_subset(&hosts), "{}: {certificate}", shape.name);
                compared += 1;
            }
        }
    }
    assert!(compared >= 4, "only {compared} certificates were compared");
}
