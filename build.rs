//! Link settings that Node addons need on each platform; nothing else is done at build time.

fn main() {
    if std::env::var_os("CARGO_FEATURE_BINDING").is_some() {
        napi_build::setup();
    }
}
