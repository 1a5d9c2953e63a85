//! Serves the tests' tree: `test_tree run [OPTIONS] [-- CMD…]` or `test_tree mount DIR`.

#[path = "../tests/support/serve.rs"]
#[allow(dead_code)]
mod serve;
#[path = "../tests/support/tree.rs"]
mod tree;

fn main() {
    serve::serve(std::env::args_os().skip(1).collect());
}
