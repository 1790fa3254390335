//! The data of signals: whatever JSON it is, it must arrive byte for byte.

use crate::scenario::Shape;

/// One JSON value with about `size` bytes, unlike any other of the run by its `serial`; `None` for no data.
pub(super) fn data(shape: Shape, serial: u64, size: u32) -> Option<String> {
    let size = size as usize;
    let text = match shape {
        Shape::None => return None,
        Shape::Plain => format!(r#"{{"n":{serial},"pad":"{}"}}"#, "x".repeat(size)),
        Shape::Escapes => {
            let escapes = r#"\u00e9é\/\u002f/\ud83d\udd4a🕊\u0000\"\\"#;
            format!(r#"{{"\u006e":{serial},"pad":"{}"}}"#, escapes.repeat(1 + size / escapes.len()))
        }
        Shape::Numbers => {
            let numbers = "1e400,-0.0,0.1000,123456789012345678901234567890,1E+2,";
            format!("[{}{serial}]", numbers.repeat(1 + size / numbers.len()))
        }
        Shape::Blanks => format!("{{ \"n\" :\t{serial} , \r\n \"pad\":[ 1 ,{}2 ] }}", " ".repeat(size)),
        Shape::Keys => {
            let pad = "k".repeat(size);
            let keys = r#""type":"goodbye","fromPeerId":"x","targetPeerId":1,"networkName":null"#;
            format!(r#"{{"z":1,"a":2,"z":{serial},{keys},"{pad}":{{}}}}"#)
        }
        Shape::Deep => {
            let depth = 1 + (size / 2).min(100);
            format!("{}{serial}{}", "[".repeat(depth), "]".repeat(depth))
        }
    };
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::RawValue;

    #[test]
    fn every_shape_is_json_of_about_its_size_and_differs_by_serial() {
        for shape in [Shape::Plain, Shape::Escapes, Shape::Numbers, Shape::Blanks, Shape::Keys, Shape::Deep] {
            let (a, b) = (data(shape, 1, 150).unwrap(), data(shape, 2, 150).unwrap());
            assert!(serde_json::from_str::<&RawValue>(&a).is_ok(), "{a}");
            assert_ne!(a, b);
            assert!((140..400).contains(&a.len()), "{shape:?} has {}", a.len());
        }
    }
}
