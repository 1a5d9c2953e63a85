locks::hierarchy! { pub mod order { Perms => Mdevs => Perms } }

fn main() {}
