//! An evaluator child as a program of its own, for the tests of this crate.

fn main() {
    trunkline_expressions::run_child()
}
