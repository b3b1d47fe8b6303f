//! One round of sending: which requests go to which node, and which are sent again after the answers. Pure. How the
//! order of calls is kept is described in [`super`].

use std::{collections::HashMap, sync::Arc};

use super::{redirect::Redirect, request::Request, routing::Step, turns::Slots};
use crate::{
    error::{Error, Result},
    redis_manager::Address,
};

/// The target of a request.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum To {
    /// The node that has its slot.
    Owner,
    /// The node to which the slot is migrating, after `ASKING`.
    Next(Address),
}

/// An unanswered request, by its index in the steps.
pub(super) type Open = (usize, To);

/// The requests of one round for one node.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) address: Address,
    /// Whether some of its requests go to the node as the owner of their slot.
    pub(super) owner: bool,
    /// Its steps, and whether each is preceded by `ASKING`.
    pub(super) steps: Vec<(usize, bool)>,
}

/// Makes a group for each node, in the order of the steps. The error is a slot without an owner.
pub(super) fn group<R>(
    steps: &[Step<R>],
    open: &[Open],
    owner: impl Fn(u16) -> Option<Address>,
) -> std::result::Result<Vec<Group>, u16> {
    let mut groups: Vec<Group> = Vec::new();
    let mut owners: HashMap<u16, usize> = HashMap::new();
    for (step, to) in open {
        let slot = steps[*step].slot;
        let place = match (to, owners.get(&slot)) {
            (To::Next(address), _) => place_of(&mut groups, address.clone()),
            (To::Owner, Some(place)) => *place,
            (To::Owner, None) => {
                let place = place_of(&mut groups, owner(slot).ok_or(slot)?);
                owners.insert(slot, place);
                place
            }
        };
        let group = &mut groups[place];
        let asking = *to != To::Owner;
        group.owner |= !asking;
        group.steps.push((*step, asking));
    }
    Ok(groups)
}

/// Returns the place of the group of a node, of which there are few.
fn place_of(groups: &mut Vec<Group>, address: Address) -> usize {
    if let Some(place) = groups.iter().position(|group| group.address == address) {
        return place;
    }
    groups.push(Group {
        address,
        owner: false,
        steps: Vec::new(),
    });
    groups.len() - 1
}

/// The result of a round.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The commands to be sent again, in order.
    pub(super) open: Vec<Open>,
    /// Slots that have moved, and to which node.
    pub(super) moved: Vec<(u16, Address)>,
    /// Why a command has to wait.
    pub(super) later: Option<Arc<str>>,
    /// The target of the last redirection.
    pub(super) pointed: Option<Address>,
}

/// Takes the final answers. What a node did not execute is sent again, and so is every later request for the same key,
/// to the same node: some of these may have been executed too early. So are those of `stale` slots, of which an earlier
/// batch has sent requests again.
pub(super) fn judge<R: Request>(
    steps: &[Step<R>],
    sent: &[Open],
    (groups, values): (&[Group], Vec<Vec<R::Answer>>),
    stale: &Slots,
    answers: &mut [Option<Result<R::Answer>>],
) -> Outcome {
    let mut by_step: HashMap<usize, (&Address, R::Answer)> = HashMap::with_capacity(sent.len());
    for (group, values) in groups.iter().zip(values) {
        let own = group.steps.iter().map(|(step, _)| *step).zip(values);
        by_step.extend(own.map(|(step, value)| (step, (&group.address, value))));
    }
    let mut again: HashMap<usize, To> = HashMap::new();
    let mut outcome = Outcome::default();
    for (step, _) in sent {
        let Step { key, slot, .. } = steps[*step];
        if let Some(to) = again.get(&key) {
            outcome.open.push((*step, to.clone()));
            continue;
        }
        if stale.contains(&slot) {
            outcome.open.push((*step, To::Owner));
            continue;
        }
        let Some((asked, answer)) = by_step.remove(step) else {
            let missing = Error::Internal("a node gave too few answers".to_owned());
            answers[*step] = Some(Err(missing));
            continue;
        };
        let redirect = R::refusal(&answer).and_then(|words| Redirect::of(&words, asked));
        let to = match redirect {
            None => {
                answers[*step] = Some(Ok(answer));
                continue;
            }
            Some(Redirect::Moved(to)) => {
                outcome.pointed = Some(to.clone());
                outcome.moved.push((slot, to));
                To::Owner
            }
            Some(Redirect::Ask(to)) => {
                outcome.pointed = Some(to.clone());
                To::Next(to)
            }
            Some(Redirect::Later(words)) => {
                outcome.later = Some(words);
                To::Owner
            }
        };
        again.insert(key, to.clone());
        outcome.open.push((*step, to));
    }
    outcome
}

#[cfg(test)]
mod tests {
    use redis::{Arg, Cmd, Value};

    use super::{super::routing::Plan, *};
    use crate::{keys::Key, redis_manager::command};

    fn tcp(port: u16) -> Address {
        Address::Tcp("h".to_owned(), port)
    }

    fn error(words: &str) -> Value {
        redis::parse_redis_value(format!("-{words}\r\n").as_bytes()).expect("RESP")
    }

    /// The members that a group adds, and `ASKING` where that stands.
    fn text(group: &Group, steps: &[Step<Cmd>]) -> String {
        let last = |cmd: &Cmd| match cmd.args_iter().last() {
            Some(Arg::Simple(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
            _ => String::new(),
        };
        let each = group.steps.iter().map(|(step, asking)| {
            let asks = if *asking { "ASKING " } else { "" };
            format!("{asks}{}", last(&steps[*step].request))
        });
        each.collect::<Vec<_>>().join(" ")
    }

    /// Key `foo` (slot 12182) is on node 2, `bar` (5061) on node 1.
    fn owner(slot: u16) -> Option<Address> {
        (slot == 12182).then(|| tcp(2)).or(Some(tcp(1)))
    }

    fn steps() -> Vec<Step<Cmd>> {
        let keys: [Key; 2] = [b"foo".to_vec(), b"bar".to_vec()];
        let added = [(0, "a"), (1, "b"), (0, "c"), (1, "d"), (0, "e")];
        let add = |(key, member): (usize, &str)| {
            let items = [keys[key].as_slice(), member.as_bytes()];
            (&keys[key], command("SADD", items))
        };
        Plan::commands(added.map(add))
    }

    fn all(steps: &[Step<Cmd>]) -> Vec<Open> {
        (0..steps.len()).map(|step| (step, To::Owner)).collect()
    }

    #[test]
    fn each_node_gets_what_is_its_in_order_and_answers_come_to_their_places() {
        let steps = steps();
        let sent = all(&steps);
        let groups = group(&steps, &sent, owner).expect("owners");
        let texts: Vec<_> = groups.iter().map(|group| text(group, &steps)).collect();
        assert_eq!(texts, ["a c e", "b d"]);
        let values = vec![
            [1, 3, 5].map(Value::Int).to_vec(),
            [2, 4].map(Value::Int).to_vec(),
        ];
        let mut answers = vec![None; 5];
        let outcome = judge(
            &steps,
            &sent,
            (&groups, values),
            &Slots::new(),
            &mut answers,
        );
        assert!(outcome.open.is_empty() && outcome.later.is_none());
        let expected: Vec<_> = (1..=5).map(|n| Some(Ok(Value::Int(n)))).collect();
        assert_eq!(answers, expected);
        assert_eq!(group(&steps, &sent, |_| None).map(drop), Err(12182));
    }

    #[test]
    fn what_comes_after_a_redirected_request_of_its_key_goes_again_with_it() {
        let steps = steps();
        let sent = all(&steps);
        let groups = group(&steps, &sent, owner).expect("owners");
        // The second of three requests of one key is pointed elsewhere; the third was executed too early.
        let foo = vec![Value::Int(1), error("ASK 12182 h:3"), Value::Int(1)];
        let bar = vec![error("MOVED 5061 h:2"), Value::Int(1)];
        let mut answers = vec![None; 5];
        let outcome = judge(
            &steps,
            &sent,
            (&groups, vec![foo, bar]),
            &Slots::new(),
            &mut answers,
        );
        let next = To::Next(tcp(3));
        let expected = [(1, To::Owner), (2, next.clone()), (3, To::Owner), (4, next)];
        assert_eq!(outcome.open, expected);
        assert_eq!(outcome.moved, [(5061, tcp(2))]);
        assert_eq!(answers.iter().flatten().count(), 1);

        let groups = group(&steps, &outcome.open, |_| Some(tcp(2))).expect("owners");
        let texts: Vec<_> = groups.iter().map(|group| text(group, &steps)).collect();
        assert_eq!(texts, ["b d", "ASKING c ASKING e"]);
        assert!(groups[0].owner && !groups[1].owner);
        let values = vec![
            [0, 1].map(Value::Int).to_vec(),
            [2, 3].map(Value::Int).to_vec(),
        ];
        let outcome = judge(
            &steps,
            &outcome.open,
            (&groups, values),
            &Slots::new(),
            &mut answers,
        );
        assert!(outcome.open.is_empty());
        assert_eq!(answers[2], Some(Ok(Value::Int(2))));
        assert_eq!(answers[4], Some(Ok(Value::Int(3))));
    }

    #[test]
    fn what_an_earlier_batch_has_sent_again_is_sent_again_by_later_ones() {
        let steps = steps();
        let sent = all(&steps);
        let groups = group(&steps, &sent, owner).expect("owners");
        let values = vec![
            [1, 3, 5].map(Value::Int).to_vec(),
            [2, 4].map(Value::Int).to_vec(),
        ];
        let mut answers = vec![None; 5];
        let stale = Slots::from([12182]);
        let outcome = judge(&steps, &sent, (&groups, values), &stale, &mut answers);
        assert_eq!(
            outcome.open,
            [(0, To::Owner), (2, To::Owner), (4, To::Owner)]
        );
        assert_eq!(answers.iter().flatten().count(), 2);
    }

    #[test]
    fn a_node_that_cannot_say_yet_makes_its_requests_wait() {
        let steps = steps();
        let sent = all(&steps);
        let groups = group(&steps, &sent, owner).expect("owners");
        let foo = vec![error("CLUSTERDOWN down"), Value::Int(1), Value::Int(1)];
        let mut answers = vec![None; 5];
        let values = vec![foo, vec![Value::Int(1), Value::Int(1)]];
        let outcome = judge(
            &steps,
            &sent,
            (&groups, values),
            &Slots::new(),
            &mut answers,
        );
        let again: Vec<_> = outcome.open.iter().map(|(step, _)| *step).collect();
        assert_eq!(again, [0, 2, 4]);
        assert_eq!(outcome.later.as_deref(), Some("CLUSTERDOWN down"));
    }
}
