//! A mark outlives the closure that it was made for.

fn main() {
    let mut kept = None;
    locks::marked(|mark| kept = Some(mark));
    if let Some(mark) = kept {
        mark.only(|| 1);
    }
}
