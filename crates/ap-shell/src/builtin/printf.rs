//! `printf` formats words as C does, and knows nothing of the tree.

use std::iter::Peekable;
use std::str::Chars;

use crate::outcome::Status;
use crate::run::context::{Context, Flow};
use crate::run::output::MAX_BYTES;

/// The largest width and precision.
const MAX_WIDTH: usize = 65_536;

pub(super) fn printf(context: &mut Context<'_>, args: &[String]) -> Result<Status, Flow> {
    let args = if args.first().is_some_and(|first| first == "--") { &args[1..] } else { args };
    let Some((format, words)) = args.split_first() else {
        return Ok(context.misused("printf", "a format is missing"));
    };
    let mut output = Output { bytes: Vec::new(), words, complaints: Vec::new(), stopped: false };
    loop {
        let before = output.words.len();
        let result = output.format(format);
        if let Err(what) = result {
            output.complaints.push(what);
            break;
        }
        // The format is used again as long as there are words and it takes some.
        if output.stopped || output.words.is_empty() || output.words.len() == before {
            break;
        }
        context.charge_bytes(format.len())?;
        if output.bytes.len() > MAX_BYTES {
            return Err(context.abort("printf: more than 16 MiB"));
        }
    }
    context.charge_bytes(output.bytes.len())?;
    context.print(&output.bytes);
    let status = Status::of(u8::from(!output.complaints.is_empty()));
    output.complaints.iter().for_each(|what| context.complain(&format!("printf: {what}")));
    Ok(status)
}

struct Output<'w> {
    bytes: Vec<u8>,
    words: &'w [String],
    complaints: Vec<String>,
    /// After `\c` in a `%b`.
    stopped: bool,
}

/// What is between `%` and the letter.
#[derive(Default)]
struct Spec {
    left: bool,
    zero: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
}

impl Output<'_> {
    fn word(&mut self) -> Option<&str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    fn format(&mut self, format: &str) -> Result<(), String> {
        let mut chars = format.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\\' => {
                    let done = escape(&mut chars, &mut self.bytes);
                    if done {
                        self.stopped = true;
                        return Ok(());
                    }
                }
                '%' => self.conversion(&mut chars)?,
                _ => self.char(c),
            }
            if self.stopped || self.bytes.len() > MAX_BYTES {
                return Ok(());
            }
        }
        Ok(())
    }

    fn char(&mut self, c: char) {
        self.bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }

    fn conversion(&mut self, chars: &mut Peekable<Chars<'_>>) -> Result<(), String> {
        let spec = self.spec(chars)?;
        match chars.next() {
            Some('%') => self.bytes.push(b'%'),
            Some('s') => {
                let word = self.word().unwrap_or("").as_bytes().to_vec();
                self.pad(&spec, cut(&word, spec.precision));
            }
            Some('b') => {
                let word = self.word().unwrap_or("").to_owned();
                let mut bytes = Vec::new();
                let mut inner = word.chars().peekable();
                while let Some(c) = inner.next() {
                    if c != '\\' {
                        bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    } else if escape(&mut inner, &mut bytes) {
                        self.stopped = true;
                        break;
                    }
                }
                self.pad(&spec, cut(&bytes, spec.precision));
            }
            Some('c') => {
                let first = self.word().and_then(|word| word.chars().next());
                self.pad(&spec, first.map(String::from).unwrap_or_default().as_bytes());
            }
            Some(letter @ ('d' | 'i' | 'u' | 'o' | 'x' | 'X')) => self.number(&spec, letter),
            Some(letter) => return Err(format!("there is no conversion %{letter}")),
            None => return Err("the format ends in %".to_owned()),
        }
        Ok(())
    }

    fn spec(&mut self, chars: &mut Peekable<Chars<'_>>) -> Result<Spec, String> {
        let mut spec = Spec::default();
        loop {
            match chars.peek() {
                Some('-') => spec.left = true,
                Some('0') => spec.zero = true,
                Some('+') => spec.plus = true,
                Some(' ') => spec.space = true,
                Some('#') => spec.alternate = true,
                _ => break,
            }
            chars.next();
        }
        spec.width = size(chars)?.unwrap_or(0);
        if chars.peek() == Some(&'.') {
            chars.next();
            spec.precision = Some(size(chars)?.unwrap_or(0));
        }
        Ok(spec)
    }

    fn pad(&mut self, spec: &Spec, text: &[u8]) {
        let missing = spec.width.saturating_sub(String::from_utf8_lossy(text).chars().count());
        let blanks = std::iter::repeat_n(b' ', missing);
        if spec.left {
            self.bytes.extend_from_slice(text);
            self.bytes.extend(blanks);
        } else {
            self.bytes.extend(blanks);
            self.bytes.extend_from_slice(text);
        }
    }

    fn number(&mut self, spec: &Spec, letter: char) {
        let word = self.word().unwrap_or("").to_owned();
        let value = match integer(&word) {
            Some(value) => value,
            None => {
                self.complaints.push(format!("{word}: not a number"));
                0
            }
        };
        // As in C: unsigned conversions show a negative number modulo 2^64.
        let unsigned = || if value < 0 { (value + (1 << 64)) as u64 } else { value as u64 };
        let (digits, prefix) = match letter {
            'd' | 'i' => (value.unsigned_abs().to_string(), ""),
            'u' => (unsigned().to_string(), ""),
            'o' => (format!("{:o}", unsigned()), "0"),
            'x' => (format!("{:x}", unsigned()), "0x"),
            _ => (format!("{:X}", unsigned()), "0X"),
        };
        let sign = match (letter, value < 0) {
            ('d' | 'i', true) => "-",
            ('d' | 'i', false) if spec.plus => "+",
            ('d' | 'i', false) if spec.space => " ",
            (_, _) if spec.alternate && value != 0 => prefix,
            _ => "",
        };
        let mut zeros = spec.precision.unwrap_or(0).saturating_sub(digits.len());
        if spec.zero && !spec.left && spec.precision.is_none() {
            zeros = spec.width.saturating_sub(sign.len() + digits.len());
        }
        self.pad(spec, format!("{sign}{}{digits}", "0".repeat(zeros)).as_bytes());
    }
}

fn cut(text: &[u8], precision: Option<usize>) -> &[u8] {
    &text[..text.len().min(precision.unwrap_or(usize::MAX))]
}

fn size(chars: &mut Peekable<Chars<'_>>) -> Result<Option<usize>, String> {
    let mut size = None;
    while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
        chars.next();
        size = Some(size.unwrap_or(0) * 10 + digit as usize);
        if size > Some(MAX_WIDTH) {
            return Err(format!("a width or precision over {MAX_WIDTH}"));
        }
    }
    Ok(size)
}

/// A number as printf takes it: a sign, `0x` hexadecimal, `0` octal, `'c` a character's code; empty is 0.
fn integer(word: &str) -> Option<i128> {
    if word.is_empty() {
        return Some(0);
    }
    if let Some(rest) = word.strip_prefix(['\'', '"']) {
        return Some(rest.chars().next().map_or(0, |c| i128::from(u32::from(c))));
    }
    let (negative, digits) = match word.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, word.strip_prefix('+').unwrap_or(word)),
    };
    let value = if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        radix(hex, 16)?
    } else if digits.len() > 1 && digits.starts_with('0') {
        radix(digits, 8)?
    } else {
        radix(digits, 10)?
    };
    let value = i128::from(value);
    if negative && value > 1 << 63 {
        return None;
    }
    Some(if negative { -value } else { value })
}

fn radix(digits: &str, radix: u32) -> Option<u64> {
    // `from_str_radix` alone would take another sign.
    if digits.starts_with(['+', '-']) { None } else { u64::from_str_radix(digits, radix).ok() }
}

/// Appends what stands for the escape behind a backslash; true for `\c`, which ends everything.
fn escape(chars: &mut Peekable<Chars<'_>>, bytes: &mut Vec<u8>) -> bool {
    let byte = match chars.peek() {
        Some('n') => b'\n',
        Some('t') => b'\t',
        Some('r') => b'\r',
        Some('a') => 7,
        Some('b') => 8,
        Some('f') => 12,
        Some('v') => 11,
        Some('\\') => b'\\',
        Some('"') => b'"',
        Some('\'') => b'\'',
        Some('c') => return true,
        Some('x') => {
            chars.next();
            match code(chars, 16, 2) {
                Some(byte) => bytes.push(byte),
                None => bytes.extend_from_slice(b"\\x"),
            }
            return false;
        }
        Some('0'..='7') => {
            let most = if chars.peek() == Some(&'0') { 4 } else { 3 };
            bytes.extend(code(chars, 8, most));
            return false;
        }
        _ => {
            bytes.push(b'\\');
            return false;
        }
    };
    chars.next();
    bytes.push(byte);
    false
}

fn code(chars: &mut Peekable<Chars<'_>>, radix: u32, most: usize) -> Option<u8> {
    let mut value = None;
    for _ in 0..most {
        let Some(digit) = chars.peek().and_then(|c| c.to_digit(radix)) else { break };
        chars.next();
        value = Some((value.unwrap_or(0) * radix + digit) & 0xff);
    }
    value.map(|value| value as u8)
}
