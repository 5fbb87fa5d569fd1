//! Other orders of the parameters of a query, as a client or a proxy that sorts them hides the signed one.

/// Up to this number of parameters, every order is tried.
const MAX_PERMUTED: usize = 4;

/// Up to this number of parameters, each is moved to each other place.
const MAX_MOVED: usize = 8;

/// The query in other orders of its parameters. Each is computed on demand; there are at most 64.
pub(super) fn other_orders(query: &str) -> impl Iterator<Item = String> + '_ {
    let count = query.split('&').count();
    let (permutations, moves) = match count {
        ..=MAX_PERMUTED => ((1..=count).product(), 0),
        _ if count <= MAX_MOVED => (0, count * count),
        _ => (0, 0),
    };
    let permuted = (0..permutations).map(move |number| permutation(query, number));
    permuted.chain((0..moves).map(move |number| moved(query, number / count, number % count)))
}

/// The permutation with this number: each digit of the number, in the factorial system, selects one of the rest.
fn permutation(query: &str, mut number: usize) -> String {
    let mut rest: Vec<_> = query.split('&').collect();
    let mut chosen = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        let index = number % rest.len();
        number /= rest.len();
        chosen.push(rest.remove(index));
    }
    chosen.join("&")
}

fn moved(query: &str, from: usize, to: usize) -> String {
    let mut parameters: Vec<_> = query.split('&').collect();
    if let Some(&parameter) = parameters.get(from) {
        parameters.remove(from);
        parameters.insert(to.min(parameters.len()), parameter);
    }
    parameters.join("&")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_order_of_four_and_every_move_within_eight_is_tried() {
        let orders = |query: &str| other_orders(query).collect::<BTreeSet<_>>().len();
        assert_eq!([orders("a"), orders("a&b"), orders("a&b&c&d")], [1, 2, 24]);
        assert_eq!(orders("a&b&c&d&e"), 4 * 4 + 1);
        assert!(other_orders("a&b&c&d&e&f&g&h").any(|order| order == "b&c&d&e&f&g&h&a"));
        assert_eq!(orders(&["a"; 9].join("&")), 0);
    }

    #[test]
    fn orders_of_any_query_are_at_most_64() {
        let counts: Vec<_> = (1..=12).map(|count| other_orders(&vec!["a"; count].join("&")).count()).collect();
        assert_eq!(counts, [1, 2, 6, 24, 25, 36, 49, 64, 0, 0, 0, 0]);
    }
}
