//! `--json`: an object on a line of its own for each command.
//!
//! What a server sends is put into strings that hold no control characters, so that no terminal
//! acts on them.

use std::fmt::Write as _;

use ntp_control::{Client, Response, Variables, associations};

/// An object in the making.
#[derive(Default)]
pub(crate) struct Object {
    fields: Vec<(String, Vec<String>)>,
}

impl Object {
    /// Adds a field whose value is JSON; where there is one of that name, they become an array.
    pub(crate) fn with(mut self, name: &str, value: String) -> Self {
        self.add(name, value);
        self
    }

    fn add(&mut self, name: &str, value: String) {
        match self.fields.iter_mut().find(|(other, _)| other == name) {
            Some((_, values)) => values.push(value),
            None => self.fields.push((name.to_owned(), vec![value])),
        }
    }

    /// The object as text.
    pub(crate) fn text(&self) -> String {
        let fields = self.fields.iter().map(|(name, values)| match &values[..] {
            [value] => format!("{}:{value}", string(name)),
            values => format!("{}:{}", string(name), array(values)),
        });
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    }
}

/// An array of values that are JSON.
pub(crate) fn array(values: &[String]) -> String {
    format!("[{}]", values.join(","))
}

/// A string.
pub(crate) fn string(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            letter if letter.is_control() => {
                // Control characters are below U+00A0.
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

/// A value of a variable: a number where it is one as JSON writes them, else a string.
fn value(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim();
    let number = text.strip_prefix('+').unwrap_or(text);
    if is_number(number) {
        number.to_owned()
    } else {
        string(text)
    }
}

fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    // `00` is two bits, and no number to JSON.
    digits(whole) && (whole == "0" || !whole.starts_with('0')) && fraction.is_none_or(digits)
}

/// What came back of a question for variables. Those of a list, `name.0` and so on, are put
/// together, entry by entry.
pub(crate) fn variables(response: &Response) -> String {
    let mut plain = Object::default();
    let mut entries: Vec<(u32, Object)> = Vec::new();
    for variable in Variables::new(&response.data) {
        let name = String::from_utf8_lossy(variable.name);
        let value = match variable.value {
            Some(_) if variable.value != Some(variable.unquoted()) => {
                string(&String::from_utf8_lossy(variable.unquoted()))
            }
            Some(bytes) => value(bytes),
            None => "null".to_owned(),
        };
        let numbered = name
            .rsplit_once('.')
            .and_then(|(name, number)| Some((name, number.parse::<u32>().ok()?)));
        match numbered {
            None => plain.add(&name, value),
            Some((name, number)) => match entries.last_mut() {
                Some((last, entry)) if *last == number => entry.add(name, value),
                _ => entries.push((number, Object::default().with(name, value))),
            },
        }
    }
    let object = Object::default()
        .with("association", response.association.to_string())
        .with("status", response.status.to_string());
    if entries.is_empty() {
        return object.with("variables", plain.text()).text();
    }
    let entries: Vec<_> = entries.iter().map(|(_, entry)| entry.text()).collect();
    object.with("entries", array(&entries)).text()
}

/// What came back of a question for the list of associations.
pub(crate) fn association_list(response: &Response) -> String {
    let list = associations::parse(&response.data).unwrap_or_default();
    let list = list.iter().map(|one| {
        Object::default()
            .with("association", one.id.to_string())
            .with("status", one.status.to_bits().to_string())
            .text()
    });
    Object::default()
        .with("status", response.status.to_string())
        .with("associations", array(&list.collect::<Vec<_>>()))
        .text()
}

/// A recent client.
pub(crate) fn client(client: &Client) -> String {
    Object::default()
        .with("address", string(&client.address.to_string()))
        .with("port", client.port.to_string())
        .with("first", string(&client.first.to_string()))
        .with("last", string(&client.last.to_string()))
        .with("count", client.count.to_string())
        .with("mode", client.mode.to_string())
        .with("version", client.version.to_string())
        .with("restrictions", client.restriction.to_string())
        .text()
}

#[cfg(test)]
mod tests {
    use ntp_wire::AssociationId;

    use super::*;

    fn shown(data: &[u8]) -> String {
        variables(&Response {
            status: 0x0615,
            association: AssociationId::SYSTEM,
            data: data.to_vec(),
            fragments: 1,
            authentic: false,
        })
    }

    #[test]
    fn variables_are_numbers_where_they_can_be() {
        assert_eq!(
            shown(
                b"leap=00, stratum=2, offset=+0.5, x=-1.25, refid=GPS, v=\"7\", bare, e=1e5, d=."
            ),
            "{\"association\":0,\"status\":1557,\"variables\":{\"leap\":\"00\",\"stratum\":2,\
             \"offset\":0.5,\"x\":-1.25,\"refid\":\"GPS\",\"v\":\"7\",\"bare\":null,\
             \"e\":\"1e5\",\"d\":\".\"}}"
        );
    }

    #[test]
    fn names_that_come_again_make_an_array() {
        let text = shown(b"cert=\"a\", until=1, cert=\"b\", until=2");
        assert!(
            text.ends_with("{\"cert\":[\"a\",\"b\"],\"until\":[1,2]}}"),
            "{text}"
        );
    }

    #[test]
    fn lists_are_put_together() {
        let text = shown(b"addr.0=[::1]:123, rx.0=4, addr.1=1.2.3.4:123, rx.1=5");
        let wanted = "\"entries\":[{\"addr\":\"[::1]:123\",\"rx\":4},\
                      {\"addr\":\"1.2.3.4:123\",\"rx\":5}]}";
        assert!(text.ends_with(wanted), "{text}");
    }

    #[test]
    fn nothing_reaches_a_terminal() {
        let text = shown(b"a\x1b[2J=\"\x1b]0;x\x07\", b=\xc2\x9b\\");
        assert!(!text.chars().any(char::is_control), "{text}");
        assert!(
            text.contains("\"a\\u001b[2J\":\"\\u001b]0;x\\u0007\""),
            "{text}"
        );
        assert!(text.contains("\"b\":\"\\u009b\\\\\""), "{text}");
    }
}
