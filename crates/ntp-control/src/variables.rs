//! The `name=value` list that most responses are.

/// One variable of a response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Variable<'a> {
    /// Its name, never empty.
    pub name: &'a [u8],
    /// What follows the equals sign, quotes included; `None` if there is none.
    pub value: Option<&'a [u8]>,
}

impl<'a> Variable<'a> {
    /// The value, or nothing, as text if it is ASCII.
    pub fn text(&self) -> Option<&'a str> {
        let value = self.value.unwrap_or_default();
        value.is_ascii().then(|| str::from_utf8(value).ok())?
    }

    /// The value without the quotes that may be around it.
    pub fn unquoted(&self) -> &'a [u8] {
        let value = self.value.unwrap_or_default();
        match value {
            [b'"', inner @ .., b'"'] => inner,
            _ => value,
        }
    }
}

/// The variables in the data of a response: separated by commas, with any white space between, the
/// values quoted where they hold commas (RFC 9327 section 2).
///
/// What has no name is passed over, and a quote that nobody closes ends with the data.
///
/// ```
/// use ntp_control::Variables;
///
/// let mut variables = Variables::new(b"leap=0, system=\"Linux, 6\",\r\ntai\r\n");
/// let names: Vec<_> = variables.clone().map(|variable| variable.name).collect();
/// assert_eq!(names, [&b"leap"[..], b"system", b"tai"]);
/// assert_eq!(variables.nth(1).unwrap().unquoted(), b"Linux, 6");
/// ```
#[derive(Clone, Debug)]
pub struct Variables<'a> {
    left: &'a [u8],
}

impl<'a> Variables<'a> {
    /// The variables in `data`.
    pub const fn new(data: &'a [u8]) -> Self {
        Self { left: data }
    }

    /// The first variable of that name.
    pub fn named(&self, name: &str) -> Option<Variable<'a>> {
        self.clone()
            .find(|variable| variable.name == name.as_bytes())
    }

    /// Takes what stands before the first byte that `ends` accepts, or all.
    fn take_until(&mut self, ends: impl Fn(u8) -> bool) -> &'a [u8] {
        let length = self
            .left
            .iter()
            .position(|&byte| ends(byte))
            .unwrap_or(self.left.len());
        let (taken, left) = self
            .left
            .split_at_checked(length)
            .unwrap_or((self.left, &[]));
        self.left = left;
        taken
    }

    fn take_quoted(&mut self) -> &'a [u8] {
        let all = self.left;
        self.left = self.left.get(1..).unwrap_or_default();
        self.take_until(|byte| byte == b'"');
        self.left = self.left.get(1..).unwrap_or_default();
        all.get(..all.len() - self.left.len()).unwrap_or(all)
    }
}

impl<'a> Iterator for Variables<'a> {
    type Item = Variable<'a>;

    fn next(&mut self) -> Option<Variable<'a>> {
        while !self.left.is_empty() {
            let name = self
                .take_until(|byte| is_end(byte) || byte == b'=')
                .trim_ascii();
            let mut value = None;
            if let Some(rest) = self.left.strip_prefix(b"=") {
                self.left = rest;
                let _ = self.take_until(|byte| byte != b' ' && byte != b'\t');
                value = Some(if self.left.starts_with(b"\"") {
                    self.take_quoted()
                } else {
                    self.take_until(is_end).trim_ascii()
                });
                self.take_until(is_end);
            }
            self.left = self.left.get(1..).unwrap_or_default();
            if !name.is_empty() {
                return Some(Variable { name, value });
            }
        }
        None
    }
}

fn is_end(byte: u8) -> bool {
    matches!(byte, b',' | b'\r' | b'\n')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(data: &[u8]) -> Vec<(&[u8], Option<&[u8]>)> {
        Variables::new(data)
            .map(|variable| (variable.name, variable.value))
            .collect()
    }

    #[test]
    fn certificates_repeat_their_names() {
        assert_eq!(
            list(b"cert=\"server server 0x5\", until=202711230125,\r\ncert=\"client, 0\",\r\nuntil=1\r\n"),
            [
                (&b"cert"[..], Some(&b"\"server server 0x5\""[..])),
                (b"until", Some(b"202711230125")),
                (b"cert", Some(b"\"client, 0\"")),
                (b"until", Some(b"1")),
            ]
        );
    }

    #[test]
    fn nonsense_is_passed_over() {
        assert_eq!(list(b""), []);
        assert_eq!(list(b",,\r\n, =x, =\"y\",="), []);
        assert_eq!(
            list(b",, a = 1 2 ,b=,c,\r\nd=\"un,closed\r\n"),
            [
                (&b"a"[..], Some(&b"1 2"[..])),
                (b"b", Some(b"")),
                (b"c", None),
                (b"d", Some(b"\"un,closed\r\n")),
            ]
        );
        assert_eq!(
            list(b"f=\"a\"b,g==1"),
            [(&b"f"[..], Some(&b"\"a\""[..])), (b"g", Some(b"=1"))]
        );
    }

    proptest! {
        #[test]
        fn any_bytes_end(data in prop::collection::vec(prop_oneof![Just(b','), Just(b'"'), Just(b'='), any::<u8>()], 0..200)) {
            let count = Variables::new(&data).inspect(|variable| assert!(!variable.name.is_empty())).count();
            prop_assert!(count <= data.len());
        }

        #[test]
        fn what_is_written_is_read(pairs in prop::collection::vec(("[a-z_.0-9]{1,12}", "[ -!#-~]{0,20}"), 0..20)) {
            let text: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
            let text = text.join(",\r\n");
            let read: Vec<_> = Variables::new(text.as_bytes()).map(|variable| (variable.name.to_vec(), variable.unquoted().to_vec())).collect();
            let expected: Vec<_> = pairs.into_iter().map(|(name, value)| (name.into_bytes(), value.into_bytes())).collect();
            prop_assert_eq!(read, expected);
        }
    }
}
