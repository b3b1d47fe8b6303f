//! What is combined is what the definition says, and what is kept is bounded.

use std::collections::HashSet;

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::list::Released;

fn list(members: &[String], released: Option<&Arc<Released>>) -> Arc<List> {
    let list = Arc::new(List::new(members).expect("a list"));
    if let Some(released) = released {
        list.keep(released);
    }
    list
}

fn members(list: &List) -> Vec<String> {
    serde_json::from_str(list.json()).expect("JSON")
}

fn combine(unions: &mut Unions, lists: &[Arc<List>], groups: Groups) -> Vec<Arc<List>> {
    let values = lists.iter().cloned().map(|list| Ok(Value::List(list)));
    let combined = unions.combine(&values.collect::<Vec<_>>(), groups);
    combined
        .iter()
        .map(|value| list_in(value).expect("a list").clone())
        .collect()
}

/// The sets of a store: no member twice.
fn sets(size: usize) -> impl Strategy<Value = Vec<Vec<String>>> {
    let member = prop::sample::select(vec!["a", "b", "c", "\"", "\\", "\n", "ü", ""]);
    let set = prop::collection::hash_set(member.prop_map(str::to_owned), 0..6);
    vec(set.prop_map(|set| set.into_iter().collect()), size..=size)
}

proptest! {
    /// In order of the first appearance, and the same with and without kept results.
    #[test]
    fn it_is_what_the_definition_says(
        groups in vec(sets(5), 0..4),
        with in 1_u32..=5,
        is_kept in any::<bool>(),
    ) {
        let released = Arc::new(Released::default());
        let lists: Vec<Arc<List>> = groups
            .iter()
            .flatten()
            .map(|set| list(set, is_kept.then_some(&released)))
            .collect();
        let expected: Vec<Vec<String>> = groups
            .iter()
            .map(|sets| {
                let without: HashSet<&String> = sets[with as usize..].iter().flatten().collect();
                let mut seen = HashSet::new();
                let all = sets[..with as usize].iter().flatten().cloned();
                all.filter(|member| !without.contains(member) && seen.insert(member.clone()))
                    .collect()
            })
            .collect();
        let mut unions = Unions::default();
        for _ in 0..2 {
            let combined = combine(&mut unions, &lists, Groups { with, without: 5 - with });
            let combined: Vec<Vec<String>> = combined.iter().map(|list| members(list)).collect();
            prop_assert_eq!(&combined, &expected);
        }
    }
}

#[test]
fn an_error_in_a_group_is_the_answer_of_that_group_only() {
    let [a, b] = ["a", "b"].map(|member| Ok(Value::List(list(&[member.to_owned()], None))));
    let error = Error::Store("WRONGTYPE".into());
    let values = vec![a, Err(error), b.clone(), b];
    let groups = Groups {
        with: 1,
        without: 1,
    };
    let combined = Unions::default().combine(&values, groups);
    assert!(combined[0].is_err());
    assert_eq!(combined[1], Ok(Value::List(Arc::new(List::empty()))));
}

#[test]
fn a_result_is_the_same_list_until_a_list_changes() {
    let released = Arc::new(Released::default());
    let [a, b, c] = ["a", "b", "c"].map(|one| list(&[one.to_owned()], Some(&released)));
    let groups = Groups {
        with: 2,
        without: 0,
    };
    let mut unions = Unions::default();
    let first = combine(&mut unions, &[a.clone(), b.clone()], groups);
    let again = combine(&mut unions, &[a.clone(), b], groups);
    assert_eq!(first[0].id(), again[0].id());
    let other = combine(&mut unions, &[a, c], groups);
    assert_eq!(members(&other[0]), ["a", "c"]);
}

#[test]
fn only_what_is_not_there_is_work() {
    let released = Arc::new(Released::default());
    let texts = |texts: &[&str]| {
        texts
            .iter()
            .map(|text| (*text).to_owned())
            .collect::<Vec<_>>()
    };
    let long = list(&texts(&["a", "b", "c"]), Some(&released));
    let short = list(&texts(&["d"]), Some(&released));
    let uncached = list(&texts(&["e", "f"]), None);
    let none = list(&[], Some(&released));
    let mut unions = Unions::default();
    let mut work = |lists: &[&Arc<List>], combined: bool| {
        let values: Vec<_> = lists
            .iter()
            .map(|&list| Ok(Value::List(list.clone())))
            .collect();
        let groups = Groups::new(1, 1);
        let work = unions.work(&values, groups);
        if combined {
            let _ = unions.combine(&values, groups);
        }
        work
    };
    assert_eq!(work(&[&long, &none], false), 0);
    assert_eq!(work(&[&none, &long], false), 0);
    assert_eq!(work(&[&long, &short, &short, &long], true), 8);
    assert_eq!(work(&[&long, &short, &short, &long], false), 0);
    assert_eq!(work(&[&long, &short, &long, &uncached], true), 5);
    assert_eq!(work(&[&long, &short, &long, &uncached], true), 5);
    let error = Err(Error::Store("WRONGTYPE".into()));
    assert_eq!(
        unions.work(&[Ok(Value::List(long)), error], Groups::new(1, 1)),
        0
    );
}

#[test]
fn kept_results_are_bounded() {
    let released = Arc::new(Released::default());
    let mut unions = Unions {
        max_bytes: 10_000,
        ..Unions::default()
    };
    let a = list(&["a".to_owned()], Some(&released));
    for number in 0..1000 {
        let other = list(&[number.to_string()], Some(&released));
        combine(
            &mut unions,
            &[a.clone(), other],
            Groups {
                with: 2,
                without: 0,
            },
        );
        assert!(unions.bytes <= 10_000);
    }
    assert!(unions.kept.len() > 5);
    let counted = unions.kept.iter().map(|(key, list)| bytes(key, list));
    assert_eq!(counted.sum::<usize>(), unions.bytes);
}
