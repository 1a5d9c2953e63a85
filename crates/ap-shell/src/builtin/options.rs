//! How builtins take the options in front of their words.

/// Takes the options, words of `-` and letters out of `known`, from the start of `args`.
pub(super) fn options<'w>(args: &'w [String], known: &str) -> Result<(Vec<char>, &'w [String]), String> {
    let mut letters = Vec::new();
    let mut rest = args;
    while let Some((first, more)) = rest.split_first() {
        if first == "--" {
            return Ok((letters, more));
        }
        let Some(word) = first.strip_prefix('-').filter(|word| !word.is_empty()) else { break };
        if let Some(letter) = word.chars().find(|&letter| !known.contains(letter)) {
            return Err(format!("there is no option -{letter}"));
        }
        letters.extend(word.chars());
        rest = more;
    }
    Ok((letters, rest))
}
