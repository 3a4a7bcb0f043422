//! Benchmarks of Meridian, of what happens for every packet: `cargo bench -p meridian-benches`,
//! with `--bench` and the name of a file under `benches/` for one of them.
#![forbid(unsafe_code)]
