//! Closing a connection while the store is being listed.

use std::{fs, time::Duration};

use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};

use super::{
    trust::state,
    world::{add, members, open, run, write},
};
use crate::{manager::Connection as _, pages::PageSource as _};

#[test]
fn a_close_waits_for_the_step_under_way_and_then_the_folder_is_free() {
    for gives_up in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("store");
        run(async {
            let connection = open(&path).await;
            write(&connection, add("k", &["a"])).await;
            let walked = connection.walked();
            let (begun, has_begun) = oneshot::channel();
            let (go_on, may_go_on) = std::sync::mpsc::channel();
            let mut begun = Some(begun);
            let step = walked.clone().read(move |_, _| {
                begun.take().map(|begun| begun.send(()));
                may_go_on.recv().expect("the test goes on");
                Ok(())
            });
            let step = tokio::spawn(step);
            has_begun.await.expect("the step begins");
            let mut close = if gives_up {
                // It waits longer for what this process itself does.
                connection.close_by(Instant::now())
            } else {
                let close = connection.close();
                Box::pin(async move {
                    close.await;
                    None
                })
            };
            let early = timeout(Duration::from_millis(100), &mut close).await;
            assert!(early.is_err(), "closed in the midst of a step");
            go_on.send(()).expect("the step waits");
            assert_eq!(close.await, None);
            step.await.expect("no panic").expect("the step is done");
            assert!(state(&path).get("closed").is_some(), "{}", state(&path));
            let late = walked.members(b"k", None, 1).await;
            assert!(late.is_err(), "{late:?}");

            let again = open(&path).await;
            assert_eq!(members(&again, "k").await, r#"["a"]"#);
            again.close().await;
            fs::remove_dir_all(&path).expect("it can be removed");
        });
    }
}
