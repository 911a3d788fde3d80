// SPDX-License-Identifier: MIT OR Apache-2.0
//! A module with all of its mutants in it, each behind a switch that is thrown when the program is run.
//!
//! To build each mutant alone takes hours. So both, what the module does and what the mutant would do, are compiled
//! once: `a < b` becomes `(if on(7) { a <= b } else { a < b })`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use anyhow::{Context, Result};
use proc_macro2::LineColumn;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

use super::list::{Genre, Lines, Mutant};

/// Appended to the library: which mutant is on, and which places are reached.
pub(super) const SWITCHES: &str = r#"
/// Which mutant is on.
#[doc(hidden)]
pub mod mutants {
    use std::io::Write as _;
    use std::path::PathBuf;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicBool, Ordering};

    static CHOSEN: LazyLock<Option<usize>> =
        LazyLock::new(|| std::env::var("AURA_MUTANT").ok().and_then(|number| number.parse().ok()));
    static TOLD: LazyLock<Option<PathBuf>> =
        LazyLock::new(|| std::env::var_os("AURA_MUTANT_REACHED").map(PathBuf::from));
    static REACHED: [AtomicBool; 4096] = [const { AtomicBool::new(false) }; 4096];

    /// Whether this one is.
    pub fn on(number: usize) -> bool {
        if let Some(path) = &*TOLD
            && REACHED.get(number).is_some_and(|reached| !reached.swap(true, Ordering::Relaxed))
            && let Ok(mut file) = std::fs::File::options().create(true).append(true).open(path)
        {
            drop(file.write_all(format!("{number}\n").as_bytes()));
        }
        *CHOSEN == Some(number)
    }
}
"#;

/// A module with switches.
#[derive(Debug)]
pub(super) struct Switched {
    /// What it says.
    pub(super) text: String,
    /// Where in it a mutant's own code stands.
    pub(super) places: Vec<(Range<usize>, usize)>,
    /// Mutants that have no switch, and whether it is told all the same where they are reached: not in a `const fn`.
    pub(super) rest: BTreeMap<usize, bool>,
}

/// Puts the mutants into the module, `without` these.
pub(super) fn switched(
    text: &str,
    mutants: &[&Mutant],
    without: &BTreeSet<usize>,
) -> Result<Switched> {
    let file = syn::parse_file(text).context("this is no Rust")?;
    let has = |mutant: &&&Mutant| !without.contains(&mutant.number);
    let chosen: Vec<&Mutant> = mutants.iter().filter(has).copied().collect();
    let mut finder = Finder { lines: Lines::of(text), mutants: &chosen, ..Finder::new(text) };
    finder.visit_file(&file);
    let Finder { mut nodes, bodies, placed, .. } = finder;
    let body_of = |mutant: &Mutant| {
        let around = bodies.iter().filter(|body| body.range.contains(&mutant.range.start));
        around.min_by_key(|body| body.range.len())
    };
    let mut rest = BTreeMap::new();
    for mutant in mutants {
        let body = body_of(mutant);
        let is_const = body.is_none_or(|body| body.is_const);
        let is_value = mutant.genre == Genre::FnValue && !mutant.returns.contains("impl ");
        let has_switch = has(&mutant) && (is_value || placed.contains(&mutant.number)) && !is_const;
        if has_switch && is_value {
            let at = mutant.range.start;
            nodes.push(Node { range: at..at, what: What::Value(mutant) });
        } else if !has_switch {
            rest.insert(mutant.number, !is_const);
            if let Some(body) = body.filter(|body| !body.is_const) {
                let at = body.range.start + 1;
                nodes.push(Node { range: at..at, what: What::Probe(mutant.number) });
            }
        }
    }
    nodes.retain(|node| {
        !node.what.numbers().any(|number| rest.contains_key(&number) && !node.what.is_probe())
    });
    nodes.sort_by_key(|node| {
        (node.range.start, node.what.rank(), std::cmp::Reverse(node.range.end))
    });
    let mut out = String::new();
    Renderer { text, nodes: &nodes }.render(0..text.len(), 0, &mut out);
    let places = chosen.iter().filter_map(|mutant| {
        let begin = out.find(&format!("/*<{}*/", mutant.number))?;
        let end = out.rfind(&format!("/*{}>*/", mutant.number))?;
        Some((begin..end, mutant.number))
    });
    Ok(Switched { places: places.collect(), text: out, rest })
}

/// A place that is written anew.
#[derive(Debug)]
struct Node<'a> {
    range: Range<usize>,
    what: What<'a>,
}

#[derive(Debug)]
enum What<'a> {
    /// Says that a mutant without a switch is reached.
    Probe(usize),
    /// A function that returns at once.
    Value(&'a Mutant),
    /// An arm without a guard that may be left out.
    Arm(usize),
    /// A guard: of an arm that may be left out, and always or never taken.
    Guard(Option<usize>, Vec<(usize, bool)>),
    /// The operator, and those that may stand there instead.
    Binary(Range<usize>, Vec<&'a Mutant>),
    /// An operator that may be left out.
    Unary(Range<usize>, usize),
}

impl What<'_> {
    fn numbers(&self) -> impl Iterator<Item = usize> {
        let numbers: Vec<usize> = match self {
            Self::Probe(number) | Self::Arm(number) | Self::Unary(_, number) => vec![*number],
            Self::Value(mutant) => vec![mutant.number],
            Self::Guard(left_out, fixed) => {
                left_out.iter().copied().chain(fixed.iter().map(|(number, _)| *number)).collect()
            }
            Self::Binary(_, others) => others.iter().map(|mutant| mutant.number).collect(),
        };
        numbers.into_iter()
    }

    fn is_probe(&self) -> bool {
        matches!(self, Self::Probe(_))
    }

    /// Of what begins at the same place, what is outside comes first.
    fn rank(&self) -> u8 {
        match self {
            Self::Probe(_) | Self::Value(_) | Self::Arm(_) => 0,
            Self::Guard(..) => 1,
            Self::Binary(..) | Self::Unary(..) => 2,
        }
    }
}

/// A function's body, braces included.
struct Body {
    range: Range<usize>,
    is_const: bool,
}

struct Finder<'a> {
    lines: Lines<'a>,
    mutants: &'a [&'a Mutant],
    nodes: Vec<Node<'a>>,
    bodies: Vec<Body>,
    placed: BTreeSet<usize>,
}

impl<'a> Finder<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            lines: Lines::of(text),
            mutants: &[],
            nodes: Vec::new(),
            bodies: Vec::new(),
            placed: BTreeSet::new(),
        }
    }

    fn offset(&self, at: LineColumn) -> usize {
        self.lines.offset(at.line, at.column).unwrap_or_default()
    }

    fn range(&self, span: proc_macro2::Span) -> Range<usize> {
        self.offset(span.start())..self.offset(span.end())
    }

    fn at(&self, start: usize, genre: Genre) -> Vec<&'a Mutant> {
        let is = |mutant: &&&Mutant| mutant.range.start == start && mutant.genre == genre;
        self.mutants.iter().filter(is).copied().collect()
    }

    fn body(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let range = self.range(block.span());
        self.bodies.push(Body { range, is_const: signature.constness.is_some() });
    }

    fn put(&mut self, range: Range<usize>, what: What<'a>) {
        self.placed.extend(what.numbers());
        self.nodes.push(Node { range, what });
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.body(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.body(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.body(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_expr_binary(&mut self, expr: &'ast syn::ExprBinary) {
        let operator = self.range(expr.op.span());
        let others = self.at(operator.start, Genre::BinaryOperator);
        // A chain with `let` in it is no expression that could stand elsewhere.
        if !others.is_empty() && !has_let(&expr.left) && !has_let(&expr.right) {
            self.put(self.range(expr.span()), What::Binary(operator, others));
        }
        visit::visit_expr_binary(self, expr);
    }

    fn visit_expr_unary(&mut self, expr: &'ast syn::ExprUnary) {
        let operator = self.range(expr.op.span());
        if let [mutant] = *self.at(operator.start, Genre::UnaryOperator) {
            self.put(self.range(expr.span()), What::Unary(operator, mutant.number));
        }
        visit::visit_expr_unary(self, expr);
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        let left_out = self.at(self.range(arm.pat.span()).start, Genre::MatchArm);
        let left_out = left_out.first().map(|mutant| mutant.number);
        if let Some((_, guard)) = &arm.guard {
            let range = self.range(guard.span());
            let fixed = self.at(range.start, Genre::MatchArmGuard);
            let fixed: Vec<_> =
                fixed.iter().map(|mutant| (mutant.number, mutant.replacement == "true")).collect();
            if (left_out.is_some() || !fixed.is_empty()) && !has_let(guard) {
                self.put(range, What::Guard(left_out, fixed));
            }
        } else if let Some(number) = left_out {
            let end = self.range(arm.pat.span()).end;
            self.put(end..end, What::Arm(number));
        }
        visit::visit_arm(self, arm);
    }
}

fn has_let(expr: &syn::Expr) -> bool {
    match expr {
        syn::Expr::Let(_) => true,
        syn::Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        _ => false,
    }
}

struct Renderer<'a> {
    text: &'a str,
    nodes: &'a [Node<'a>],
}

impl Renderer<'_> {
    /// What stands in this range, with the nodes from this one on.
    fn render(&self, range: Range<usize>, from: usize, out: &mut String) {
        let mut at = range.start;
        for (index, node) in self.nodes.iter().enumerate().skip(from) {
            if node.range.start < at || node.range.end > range.end {
                continue;
            }
            out.push_str(&self.text[at..node.range.start]);
            self.write(index, node, out);
            at = node.range.end;
        }
        out.push_str(&self.text[at..range.end]);
    }

    fn write(&self, index: usize, node: &Node<'_>, out: &mut String) {
        let part = |range: Range<usize>| {
            let mut part = String::new();
            self.render(range, index + 1, &mut part);
            part
        };
        let range = &node.range;
        let text = match &node.what {
            What::Probe(number) => format!(" {};", on(*number)),
            What::Value(mutant) => {
                let Mutant { number, replacement, .. } = mutant;
                format!(
                    "/*<{number}*/ if {} {{ return {replacement}; }} /*{number}>*/",
                    on(*number)
                )
            }
            What::Arm(number) => format!(" /*<{number}*/ if !{} /*{number}>*/", on(*number)),
            What::Guard(left_out, fixed) => {
                let mut guard = format!("({})", part(range.clone()));
                for (number, always) in fixed {
                    let on = on(*number);
                    guard = if *always {
                        format!("(/*<{number}*/ {on} /*{number}>*/ || {guard})")
                    } else {
                        format!("(/*<{number}*/ !{on} /*{number}>*/ && {guard})")
                    };
                }
                if let Some(number) = left_out {
                    guard = format!("/*<{number}*/ !{} /*{number}>*/ && {guard}", on(*number));
                }
                guard
            }
            What::Binary(operator, others) => {
                let left = range.start..operator.start;
                let right = operator.end..range.end;
                let (own_left, own_right) = (&self.text[left.clone()], &self.text[right.clone()]);
                let other = |Mutant { number, replacement, .. }: &&Mutant| {
                    let other = format!("{own_left} {replacement} {own_right}");
                    let on = on(*number);
                    format!("/*<{number}*/ if {on} {{ {other} /*{number}>*/ }} else ")
                };
                let others: String = others.iter().map(other).collect();
                let own = &self.text[operator.clone()];
                format!("({others}{{ {}{own}{} }})", part(left), part(right))
            }
            What::Unary(operator, number) => {
                let without = &self.text[operator.end..range.end];
                let own = &self.text[operator.clone()];
                format!(
                    "(/*<{number}*/ if {} {{ {without} /*{number}>*/ }} else {{ {own}{} }})",
                    on(*number),
                    part(operator.end..range.end)
                )
            }
        };
        out.push_str(&text);
    }
}

fn on(number: usize) -> String {
    format!("crate::mutants::on({number})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutant(number: usize, genre: Genre, text: &str, what: &str, replacement: &str) -> Mutant {
        let start = text.find(what).unwrap();
        Mutant {
            number,
            file: "a.rs".to_owned(),
            name: String::new(),
            genre,
            range: start..start + what.len(),
            replacement: replacement.to_owned(),
            returns: "-> bool".to_owned(),
        }
    }

    fn plain(text: &str, mutants: &[Mutant]) -> (String, BTreeMap<usize, bool>) {
        let mutants: Vec<&Mutant> = mutants.iter().collect();
        let Switched { text, rest, .. } = switched(text, &mutants, &BTreeSet::new()).unwrap();
        syn::parse_file(&text).unwrap();
        let (mut out, mut left) = (String::new(), text.as_str());
        while let Some((before, after)) = left.split_once("/*") {
            out.push_str(before);
            left = after.split_once("*/").unwrap().1;
        }
        out.push_str(left);
        let words: Vec<&str> = out.split_whitespace().collect();
        (words.join(" ").replace("crate::mutants::", ""), rest)
    }

    #[test]
    fn operators_have_switches() {
        let text = "fn f() -> bool { !a || b < c }";
        let (switched, rest) = plain(
            text,
            &[
                mutant(1, Genre::BinaryOperator, text, "||", "&&"),
                mutant(2, Genre::BinaryOperator, text, "<", "<="),
                mutant(3, Genre::UnaryOperator, text, "!", ""),
                mutant(4, Genre::FnValue, text, "!a || b < c", "true"),
            ],
        );
        assert_eq!(
            switched,
            "fn f() -> bool { if on(4) { return true; } ( if on(1) { !a && b < c } else \
             { ( if on(3) { a } else { !a }) || ( if on(2) { b <= c } else { b < c }) }) }"
        );
        assert!(rest.is_empty());
    }

    #[test]
    fn arms_and_guards_have_switches() {
        let text = "fn f() { match a { A => 1, B if c == d => 2, _ => 3 } }";
        let (switched, _) = plain(
            text,
            &[
                mutant(1, Genre::MatchArm, text, "A => 1,", ""),
                mutant(2, Genre::MatchArm, text, "B if c == d => 2,", ""),
                mutant(3, Genre::MatchArmGuard, text, "c == d", "true"),
                mutant(4, Genre::MatchArmGuard, text, "c == d", "false"),
                mutant(5, Genre::BinaryOperator, text, "==", "!="),
            ],
        );
        assert_eq!(
            switched,
            "fn f() { match a { A if !on(1) => 1, B if !on(2) && ( !on(4) && ( on(3) || \
             (( if on(5) { c != d } else { c == d })))) => 2, _ => 3 } }"
        );
    }

    #[test]
    fn what_can_have_no_switch_is_told() {
        let text = "const fn f() -> bool { a < b } fn g() -> X { if let A = b && c < d {} }";
        let (switched, rest) = plain(
            text,
            &[
                mutant(1, Genre::BinaryOperator, text, "<", ">"),
                mutant(2, Genre::BinaryOperator, text, "&&", "||"),
            ],
        );
        assert_eq!(rest, BTreeMap::from([(1, false), (2, true)]));
        assert_eq!(switched, text.replace("X { if", "X { on(2); if"));
    }

    #[test]
    fn the_place_of_a_mutants_code_is_told() {
        let text = "fn f() -> bool { a < b }";
        let mutant = mutant(1, Genre::BinaryOperator, text, "<", ">");
        let switched = switched(text, &[&mutant], &BTreeSet::new()).unwrap();
        let [(range, 1)] = &switched.places[..] else { panic!("{switched:?}") };
        assert!(switched.text[range.clone()].ends_with("{ a  >  b "));
    }
}
