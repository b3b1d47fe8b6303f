//! Reads users of several frontends, `[{uid, sid}, …]`, as the uids of each frontend. JavaScript (`lib/pairs.js`) reads the
//! objects, because Node-API takes eight calls for each of them; what is not plain is then read here.

use std::collections::HashMap;

use napi::{
    Env, Unknown, ValueType,
    bindgen_prelude::{Array, JsValue as _},
};

use super::{
    args::{Read, check_sum, member, text},
    ids::invalid,
    joined::{self, Made, split},
    js::{Args, Installed},
    thrown,
};
use crate::{
    command::Texts,
    size_limits::{LONGEST, Sizes},
};

/// The maximum bytes of a UTF-16 unit in UTF-8.
const UNIT: usize = 3;

/// Reads an array of `{uid, sid}`, none longer than `sizes` allows, as the uids of each sid in the order in which the sids
/// come first.
pub fn members_by_sid(value: &Unknown, sizes: Sizes) -> Read<Vec<(String, Texts)>> {
    const PAIRS: &str = "an array of {uid, sid}";
    if !value.is_array()? {
        return Ok(Err(invalid("members", PAIRS, value.get_type()?)));
    }
    let env = Env::from_raw(value.value().env);
    let longest = |bytes: usize| u32::try_from(bytes / UNIT).unwrap_or(u32::MAX);
    let args = Args::new()
        .with(&env, *value)?
        .with(&env, longest(sizes.member))?
        .with(&env, longest(LONGEST))?;
    Ok(
        match joined::join(&env, &Installed::of(&env)?.read_pairs, args)? {
            Made::Joined(joined) => Ok(groups(&joined)),
            Made::Copy(copy) => each(&copy, sizes)?,
        },
    )
}

/// Splits what was joined: for each server id its users, and an empty text before the next one.
fn groups(joined: &str) -> Vec<(String, Texts)> {
    let texts: Vec<&[u8]> = split(joined).collect();
    let groups = texts.split(|text| text.is_empty());
    let groups = groups.filter_map(|group| {
        let (sid, uids) = group.split_first()?;
        let mut members = Texts::with_capacity(uids.len(), uids.iter().map(|uid| uid.len()).sum());
        members.extend(uids);
        Some((String::from_utf8_lossy(sid).into_owned(), members))
    });
    groups.collect()
}

fn each(array: &Array, sizes: Sizes) -> Read<Vec<(String, Texts)>> {
    let mut groups: Vec<(String, Texts)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut sum = 0;
    for index in 0..array.len() {
        let argument = format!("members[{index}]");
        let element = thrown::element(array, index)?;
        let kind = element.map_or(Ok(ValueType::Undefined), |element| element.get_type())?;
        let Some(element) = element.filter(|_| kind == ValueType::Object) else {
            return Ok(Err(invalid(argument, "{uid, sid}", kind)));
        };
        let object = element.coerce_to_object()?;
        let uid = thrown::property(&object, "uid")?;
        let sid = thrown::property(&object, "sid")?;
        let sid = text(&sid, format_args!("{argument}.sid"))?;
        let uid = member(&uid, format_args!("{argument}.uid"), sizes)?;
        let (sid, uid) = match (sid, uid) {
            (Ok(sid), Ok(uid)) => (sid, uid),
            (Err(error), _) | (_, Err(error)) => return Ok(Err(error)),
        };
        sum += uid.len();
        if let Err(error) = check_sum(sum) {
            return Ok(Err(error));
        }
        let place = *places.entry(sid).or_insert_with_key(|sid| {
            groups.push((sid.clone(), Texts::default()));
            groups.len() - 1
        });
        groups[place].1.push(&uid);
    }
    Ok(Ok(groups))
}
