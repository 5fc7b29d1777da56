//! Which clusters of a ring run a service: `clusters` in the values of `argocd/bootstrap`, in the words of Kubernetes' label selectors.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A label selector; one that says nothing selects every cluster.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Selector {
    #[serde(default)]
    match_labels: BTreeMap<String, String>,
    #[serde(default)]
    match_expressions: Vec<Requirement>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Requirement {
    key: String,
    operator: Operator,
    #[serde(default)]
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

impl Selector {
    pub(crate) fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        let fits = |it: &Requirement| {
            let value = labels.get(&it.key);
            match it.operator {
                Operator::In => value.is_some_and(|value| it.values.contains(value)),
                Operator::NotIn => value.is_none_or(|value| !it.values.contains(value)),
                Operator::Exists => value.is_some(),
                Operator::DoesNotExist => value.is_none(),
            }
        };
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value)) && self.match_expressions.iter().all(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_selects_as_kubernetes_does() {
        let labels: BTreeMap<String, String> =
            [("docmill.io/class", "edge"), ("size", "small")].map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let selects = |text: &str| yaml_serde::from_str::<Selector>(text).unwrap().selects(&labels);
        assert!(selects("{}"));
        assert!(selects("matchLabels: {size: small, docmill.io/class: edge}") && !selects("matchLabels: {size: large}"));
        assert!(selects("matchExpressions: [{key: size, operator: In, values: [small, large]}]"));
        assert!(!selects("matchExpressions: [{key: size, operator: NotIn, values: [small]}]"));
        assert!(selects(
            "matchExpressions: [{key: colour, operator: NotIn, values: [red]}, {key: colour, operator: DoesNotExist}]"
        ));
        assert!(!selects("matchExpressions: [{key: colour, operator: Exists}]"));
    }
}
