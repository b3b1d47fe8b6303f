//! The table of options.

use std::collections::HashSet;

use super::{
    super::{kinds::Switch, *},
    parse,
};

#[test]
fn each_option_has_one_row_and_fields_follow_their_object() {
    let mut seen = HashSet::new();
    for row in TABLE {
        if let Some((object, _)) = row.name.split_once('.') {
            assert!(seen.contains(object), "{}", row.name);
            let object = TABLE.iter().find(|row| row.name == object);
            assert_eq!(object.map(|object| object.store), Some(row.store));
        }
        assert!(seen.insert(row.name), "{} twice", row.name);
    }
}

#[test]
fn an_error_about_an_object_names_its_fields() {
    for row in [&table::TLS, &table::CACHE, &table::FAN_OUT] {
        let Switch(_, forms) = row.kind;
        assert!(fields(row.name).next().is_some());
        for (_, field) in fields(row.name) {
            assert!(forms.contains(field), "{}: {forms}", row.name);
        }
    }
}

#[test]
fn the_defaults_of_the_driver_are_those_of_the_table() {
    let options = parse(&[]).expect("no option is needed");
    assert_eq!(
        format!("{:?}", options.limits),
        format!("{:?}", Limits::default())
    );
}
