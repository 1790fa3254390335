//! To come.
pub(super) fn run(_: &super::options::BenchOptions) -> std::io::Result<String> {
    Ok(String::new())
}
