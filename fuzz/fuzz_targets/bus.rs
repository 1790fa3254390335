#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| peerpigeon_fuzz::bus::run(data));
