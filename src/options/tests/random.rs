//! Random values for random options.

use proptest::{collection::vec, prelude::*};

use super::{super::*, text};

/// A value of any kind, with a secret in each text.
fn anything() -> impl Strategy<Value = Raw> {
    let leaf = prop_oneof![
        Just(Raw::Absent),
        any::<bool>().prop_map(Raw::Bool),
        any::<f64>().prop_map(Raw::Number),
        (-2i32..70000).prop_map(|number| Raw::Number(number.into())),
        any::<String>().prop_map(Raw::Text),
        "-?[0-9]{1,20}".prop_map(Raw::Text),
        "(redis|unix|rediss|http|)(://)?\\PC{0,20}".prop_map(Raw::Text),
        "(redis|unix|rediss)://[a-z]{0,3}:s3cret-word@[a-z:/0-9]{0,10}".prop_map(Raw::Text),
        "process|os|redis|embedded".prop_map(Raw::Text),
        Just(Raw::Object),
        Just(Raw::Function),
        vec(any::<u8>(), 0..10).prop_map(Raw::Bytes),
        Just(Raw::Other("{…}".to_owned())),
    ];
    leaf.prop_recursive(3, 20, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Raw::List),
            vec(
                (
                    prop_oneof![
                        any::<String>(),
                        "[a-z]:s3cret-word@[a-z]:[0-9]",
                        "[a-z]:[0-9]"
                    ],
                    inner
                ),
                0..5
            )
            .prop_map(Raw::Record),
        ]
    })
}

fn names() -> Vec<&'static str> {
    TABLE.iter().map(|row| row.name).collect()
}

proptest! {
    /// Any values for any options give an `Options`, or an error that names an option and contains no password. No panic.
    #[test]
    fn parsing_never_panics(
        given in prop::collection::hash_map(prop::sample::select(names()), anything(), 1..4),
        embedded: bool,
    ) {
        let secret = "s3cret-word";
        let source = |asked: &str| match asked {
            _ if given.contains_key(asked) => given[asked].clone(),
            "store" if embedded => text("embedded"),
            "path" if embedded => text("/data"),
            "password" if !embedded => text(secret),
            "tls" if given.keys().any(|name| name.starts_with("tls.")) => Raw::Object,
            _ => Raw::Absent,
        };
        match Options::parse(&source) {
            Err(error) => {
                let words = error.to_string();
                prop_assert_eq!(error.code(), "ERR_GLOBAL_CHANNEL_INVALID_OPTION");
                prop_assert!(names().iter().any(|name| words.contains(name)), "{}", words);
                prop_assert!(!words.contains(secret), "{}", words);
            }
            Ok(options) => {
                let shown = format!("{:?}", options.store);
                // User names and names of primaries may be shown.
                let is_name = given.contains_key("username") || given.contains_key("name");
                prop_assert!(is_name || !shown.contains(secret), "{}", shown);
            }
        }
    }
}
