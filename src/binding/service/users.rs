//! The methods about users instead of channels: who is online, and where (option `sessions`). The arguments are checked
//! here; the answers are made by `lib/sessions/`, as those of a custom manager are by that manager.

use napi::{Unknown, ValueType, bindgen_prelude::JsValue as _};

use crate::{
    binding::{
        methods::Kind,
        service::Service,
        values::{args, js::Args, page_options},
    },
    error::{Error, Result},
};

impl Service {
    /// Executes methods that ask about one user or several.
    pub fn of_users(&self, kind: Kind, uids: &Unknown, cb: &Unknown) -> napi::Result<()> {
        if self.admitted(kind, cb)?.is_none() {
            return Ok(());
        }
        let read = match self.check_registry(kind.name()) {
            Ok(()) => args::texts(uids, "uids")?,
            Err(error) => Err(error),
        };
        let read = read.and_then(|uids| self.check_uids(&uids).map(|()| uids));
        let uids = match (read, uids.is_array()?) {
            (Ok(uids), is_array) => Args::new()
                .with(&self.env, uids)?
                .with(&self.env, is_array)?,
            (Err(error), _) => return self.refuse(kind, cb, &error),
        };
        self.ask_online(kind, cb, uids)
    }

    /// Executes methods that count the users on servers of a type, or on all.
    pub fn of_online(&self, kind: Kind, server_type: &Unknown, cb: &Unknown) -> napi::Result<()> {
        if let Err(error) = self.check_registry(kind.name()) {
            if self.admitted(kind, cb)?.is_some() {
                return self.refuse(kind, cb, &error);
            }
            return Ok(());
        }
        if matches!(
            server_type.get_type()?,
            ValueType::Null | ValueType::Undefined
        ) {
            return self.ask_online(kind, cb, Args::new().with_null(&self.env)?);
        }
        let Some((_, servers)) = self.servers(kind, cb, server_type)? else {
            return Ok(());
        };
        let sids = Args::new().with(&self.env, servers.array(&self.env)?)?;
        self.ask_online(kind, cb, sids)
    }

    /// Executes methods that list the users who are online, page by page.
    pub fn of_online_page(&self, kind: Kind, opts: &Unknown, cb: &Unknown) -> napi::Result<()> {
        if self.admitted(kind, cb)?.is_none() {
            return Ok(());
        }
        let read = match self.check_registry(kind.name()) {
            Ok(()) => page_options::read(opts, true)?,
            Err(error) => Err(error),
        };
        let read = read.and_then(|options| {
            let text = options.cursor.as_deref();
            let from = text.map(|text| self.online_cursor(text)).transpose()?;
            Ok((from, options))
        });
        let (from, options) = match read {
            Ok(read) => read,
            Err(error) => return self.refuse(kind, cb, &error),
        };
        let (inner, sid) = from.unzip();
        let args = Args::new()
            .with(&self.env, sid)?
            .with(&self.env, inner)?
            .with(&self.env, u32::try_from(options.limit).unwrap_or(u32::MAX))?
            .with(&self.env, options.glob.unwrap_or_default())?;
        self.ask_online(kind, cb, args)
    }

    /// Refuses a method that needs the registry of who is online, where there is none.
    pub(super) fn check_registry(&self, method: &str) -> Result<()> {
        if self.options.sessions.is_some() {
            return Ok(());
        }
        let place = self.place_of_option();
        Err(Error::Unsupported(format!(
            "{method} has to know who is online, which needs option sessions: true, {place}"
        )))
    }

    /// Says where an option that a method needs has to be on, as the end of an error.
    pub(super) fn place_of_option(&self) -> &'static str {
        if self.is_custom() {
            "which a channelManager does not have"
        } else {
            "on every server of the app"
        }
    }

    /// Refuses uids that are too long to be online.
    pub(super) fn check_uids(&self, uids: &[String]) -> Result<()> {
        let check = |(index, uid): (usize, &String)| {
            let name = format_args!("uids[{index}]");
            self.sizes.check_member(name, uid.as_bytes())
        };
        uids.iter().enumerate().try_for_each(check)
    }

    /// Takes a call that the host answers.
    fn ask_online(&self, kind: Kind, cb: &Unknown, args: Args) -> napi::Result<()> {
        // Reading an array or an object may have run a getter.
        let Some(host) = self.admitted(kind, cb)? else {
            return Ok(());
        };
        let seq = self.take_call(&host, kind, |seq| host.hold(&self.env, seq, cb))?;
        host.ask_online(&self.env, seq, kind.name(), args)
    }
}
