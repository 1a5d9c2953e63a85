use ap_proof::sequences::alphabet;

use super::*;
use crate::tally::Tally;

fn identity(name: &str) -> Identity {
    Identity::of(&alphabet(name).expect("it is there")).expect("the program can be read")
}

fn level(number: u32) -> Level {
    let levels: Vec<u64> = (0..=number).map(|level| u64::from(level) + 1).collect();
    Level {
        tally: Tally { states: levels.iter().sum(), levels, ..Tally::default() },
        workers: 1,
        pass: 0,
        lesson: Vec::new(),
    }
}

const ONE: Part = Part { worker: 0, of: 1 };

/// Two levels, as one worker writes them.
fn written(folder: &Path) -> Checkpoint {
    let checkpoint = Checkpoint::open(folder, &identity("core"), 0).expect("a new one");
    for number in [1, 2] {
        let ways = Ways::from_bytes(number as usize + 1, vec![7; number as usize + 1]);
        checkpoint.write_part(number, ONE, &[u128::from(number) << 100, 5], &ways).expect("it is written");
        checkpoint.write_tally(number, &level(number)).expect("it is written");
    }
    checkpoint
}

#[test]
fn what_is_written_is_read_back_and_old_ways_go() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(written(folder.path()));
    let checkpoint = Checkpoint::open(folder.path(), &identity("core"), 0).expect("the same one");
    assert_eq!(checkpoint.last(9).expect("whole"), Some(level(2)));
    assert_eq!(checkpoint.last(1).expect("whole"), Some(level(1)), "not further than was asked for");
    assert_eq!(checkpoint.states(1, ONE).expect("whole"), [1 << 100, 5]);
    assert_eq!(checkpoint.ways(2, ONE).expect("whole").bytes(), [7, 7, 7]);
    assert!(checkpoint.ways(1, ONE).is_err(), "nobody needs them any more");
}

#[test]
fn a_level_without_a_tally_does_not_count() {
    let folder = tempfile::tempdir().expect("a folder");
    let checkpoint = written(folder.path());
    checkpoint.write_part(3, ONE, &[1], &Ways::of_length(4)).expect("it is written");
    assert_eq!(checkpoint.last(9).expect("whole"), Some(level(2)));
}

/// Once a second pass has begun the first one does not count, whatever is left of it.
#[test]
fn the_last_pass_counts() {
    let folder = tempfile::tempdir().expect("a folder");
    let checkpoint = written(folder.path());
    let begun = Level { pass: 1, lesson: vec![3], ..level(0) };
    fs::create_dir(folder.path().join("pass-2-level-0")).expect("as if it was killed just now");
    assert_eq!(checkpoint.last(9).expect("whole"), Some(level(2)));
    checkpoint.write_tally(begun.at(), &begun).expect("it is written");
    assert_eq!(checkpoint.last(9).expect("whole"), Some(begun.clone()));
    checkpoint.forget_before(2).expect("they are there");
    checkpoint.forget_before(2).expect("it does no harm");
    assert_eq!(checkpoint.last(9).expect("whole"), Some(begun));
    let next = Level { pass: 1, ..level(1) };
    checkpoint.write_part(next.at(), ONE, &[8], &Ways::from_bytes(2, vec![7, 7])).expect("it is written");
    checkpoint.write_tally(next.at(), &next).expect("it is written");
    assert_eq!(checkpoint.last(9).expect("whole"), Some(next.clone()));
    assert_eq!(checkpoint.states(next.at(), ONE).expect("whole"), [8]);
    assert!(!folder.path().join("level-1").exists());
}

#[test]
fn torn_files_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let checkpoint = written(folder.path());
    let file = folder.path().join("level-2/worker-0-of-1.states");
    let whole = fs::read(&file).expect("it is there");
    for length in 0..whole.len() {
        fs::write(&file, &whole[..length]).expect("it is written");
        let error = checkpoint.states(2, ONE).expect_err("it is torn");
        assert!(matches!(error, CheckpointError::Torn { .. } | CheckpointError::Foreign { .. }), "{error}");
    }
    for at in 0..whole.len() {
        let mut other = whole.clone();
        other[at] ^= 1;
        fs::write(&file, &other).expect("it is written");
        checkpoint.states(2, ONE).expect_err("it is not as it was written");
    }
    fs::write(&file, [whole.as_slice(), b"x"].concat()).expect("it is written");
    let error = checkpoint.states(2, ONE).expect_err("it is too long");
    assert!(
        error.to_string().ends_with("worker-0-of-1.states is torn: it is not as it was written"),
        "{error}"
    );
}

#[test]
fn a_file_of_another_level_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let checkpoint = written(folder.path());
    let (one, two) = (folder.path().join("level-1"), folder.path().join("level-2"));
    fs::copy(one.join("worker-0-of-1.states"), two.join("worker-0-of-1.states")).expect("it is copied");
    let error = checkpoint.states(2, ONE).expect_err("it is another one").to_string();
    assert!(error.contains("states of level 1 of worker 0 of 1`, expected `"), "{error}");
}

#[test]
fn foreign_folders_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(written(folder.path()));
    let open =
        |name| Checkpoint::open(folder.path(), &identity(name), 0).expect_err("another search").to_string();
    assert!(open("whole").ends_with("is of another search: its alphabet is `core`, and here it is `whole`"));
    assert!(open("removals").contains("its alphabet is `core`"));
    fs::write(folder.path().join("search"), "apmatrix.checkpoint/9\nalphabet core\n").expect("it is written");
    assert!(open("core").contains("has the format `apmatrix.checkpoint/9`"), "{}", open("core"));
    for torn in ["", "apmatrix.checkpoint/1", "apmatrix.checkpoint/1\ncore\n"] {
        fs::write(folder.path().join("search"), torn).expect("it is written");
        assert!(open("core").contains("search is torn"), "{torn}: {}", open("core"));
    }
    let strange = tempfile::tempdir().expect("a folder");
    fs::write(strange.path().join("thesis.tex"), "").expect("it is written");
    let error = Checkpoint::open(strange.path(), &identity("core"), 0).expect_err("somebody's").to_string();
    assert!(error.ends_with("is no checkpoint: it holds `thesis.tex`"), "{error}");
    assert_eq!(fs::read_dir(strange.path()).expect("a folder").count(), 1, "nothing was left there");
}

#[test]
fn old_ways_go_whoever_wrote_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let checkpoint = written(folder.path());
    // Two workers go on.
    for worker in 0..2 {
        let part = Part { worker, of: 2 };
        checkpoint.write_part(3, part, &[9], &Ways::from_bytes(4, vec![7; 4])).expect("it is written");
    }
    checkpoint.write_tally(3, &Level { workers: 2, ..level(3) }).expect("it is written");
    let names = |number: u32| -> Vec<String> {
        let folder = fs::read_dir(folder.path().join(format!("level-{number}"))).expect("a folder");
        let names = folder.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
        names.filter(|name| name.ends_with(".ways")).collect()
    };
    assert_eq!(names(2), [""; 0], "the ways of one worker");
    assert_eq!(names(3).len(), 2, "those that are needed");
}

#[test]
fn a_folder_in_use_is_refused_to_the_same_process_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let _first = Checkpoint::open(folder.path(), &identity("core"), 0).expect("a new one");
    let error = Checkpoint::open(folder.path(), &identity("core"), 0).expect_err("in use").to_string();
    assert!(error.ends_with("is in use by process 0 of another search"), "{error}");
    Checkpoint::open(folder.path(), &identity("core"), 1).expect("another process of the search");
}

#[test]
fn other_workers_take_all_parts_if_all_are_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let checkpoint = written(folder.path());
    let three = Part { worker: 2, of: 3 };
    assert_eq!(checkpoint.parts(2, three, 1).expect("all are there"), [ONE]);
    assert_eq!(checkpoint.parts(2, three, 3).expect("its own"), [three]);
    let error = checkpoint.parts(2, three, 2).expect_err("they are not").to_string();
    assert!(error.contains("does not hold all of level 2, which 2 workers wrote"), "{error}");
}
