// SPDX-License-Identifier: MIT OR Apache-2.0
//! The modules that a file declares, and those that it names.

use crate::token::Token;

/// What one file says of modules. Nothing under `#[cfg(test)]` counts.
#[derive(Debug, Default)]
pub(crate) struct Outline {
    /// Every `mod x`, in order, with the inline modules around it.
    pub(crate) declared: Vec<Declaration>,
    /// Every path that begins with `crate`, `self` or `super`, made absolute.
    pub(crate) named: Vec<Name>,
}

/// `mod x;` or `mod x { … }`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Declaration {
    /// The module that declares it.
    pub(crate) parent: Vec<String>,
    /// Its name.
    pub(crate) name: String,
    /// Whether it is a file of its own.
    pub(crate) form: Form,
}

/// Where a module's items are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// In a file of its own.
    File,
    /// Between braces.
    Inline,
}

/// A path in code.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Name {
    /// The module in which it stands.
    pub(crate) from: Vec<String>,
    /// What it names, from the crate's root.
    pub(crate) path: Vec<String>,
    /// On which line.
    pub(crate) line: usize,
}

/// Reads the tokens of the file that is this module.
pub(crate) fn outline(tokens: &[Token<'_>], module: &[String]) -> Outline {
    let mut outline = Outline::default();
    let mut around = module.to_vec();
    // How deep in braces each inline module of `around` began.
    let mut opened = Vec::new();
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        let rest = tokens.get(at..).unwrap_or_default();
        match token.text {
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                if opened.last() == Some(&depth) {
                    opened.pop();
                    around.pop();
                }
            }
            "mod" => {
                let Some((name, form)) = declaration(rest) else {
                    continue;
                };
                let parent = around.clone();
                outline.declared.push(Declaration { parent, name: name.to_owned(), form });
                if form == Form::Inline {
                    opened.push(depth);
                    around.push(name.to_owned());
                }
            }
            "crate" | "self" | "super" if begins_path(tokens, at) => {
                let tree = Tree { from: &around, line: token.line };
                outline.named.extend(tree.names(rest));
            }
            _ => {}
        }
    }
    outline
}

fn declaration<'a>(rest: &[Token<'a>]) -> Option<(&'a str, Form)> {
    let after = rest.get(1)?;
    // `mod r#type` is three tokens.
    let at = if after.text == "r" && rest.get(2)?.text == "#" { 3 } else { 1 };
    let name = rest.get(at)?.text;
    match rest.get(at + 1)?.text {
        ";" => Some((name, Form::File)),
        "{" => Some((name, Form::Inline)),
        _ => None,
    }
}

fn begins_path(tokens: &[Token<'_>], at: usize) -> bool {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    text(at + 1) == "::" && (at == 0 || text(at - 1) != "::")
}

/// A path, or a tree of them, as in `crate::{a, b::{c, d}}`.
struct Tree<'a> {
    from: &'a [String],
    line: usize,
}

impl Tree<'_> {
    fn names(&self, tokens: &[Token<'_>]) -> Vec<Name> {
        let mut found = Vec::new();
        let mut rest = tokens;
        let mut base = Vec::new();
        if let Some(first) = take(&mut rest) {
            if first.text != "crate" {
                base = self.from.to_vec();
            }
            if first.text == "super" {
                base.pop();
            }
        }
        while let [separator, next, ..] = rest
            && separator.text == "::"
            && next.text == "super"
        {
            base.pop();
            rest = rest.get(2..).unwrap_or_default();
        }
        self.branch(&mut rest, &base, &mut found);
        found
    }

    /// Reads `::a::b`, `::{…}` or nothing, and adds every path that ends here.
    fn branch(&self, rest: &mut &[Token<'_>], base: &[String], found: &mut Vec<Name>) {
        let mut path = base.to_vec();
        while rest.first().is_some_and(|token| token.text == "::") {
            let _ = take(rest);
            match rest.first().map_or("", |token| token.text) {
                "{" => return self.group(rest, &path, found),
                word if word.chars().all(|c| c.is_alphanumeric() || c == '_') => {
                    path.push(word.to_owned());
                    let _ = take(rest);
                }
                _ => break,
            }
        }
        found.push(Name { from: self.from.to_vec(), path, line: self.line });
    }

    fn group(&self, rest: &mut &[Token<'_>], base: &[String], found: &mut Vec<Name>) {
        let _ = take(rest);
        while let Some(token) = take(rest) {
            match token.text {
                "}" => return,
                "," | "*" => {}
                // The name that follows is new and stands for what was just read.
                "as" => drop(take(rest)),
                "self" => found.push(Name {
                    from: self.from.to_vec(),
                    path: base.to_vec(),
                    line: token.line,
                }),
                word => {
                    let mut path = base.to_vec();
                    path.push(word.to_owned());
                    let line = token.line;
                    Tree { from: self.from, line }.branch(rest, &path, found);
                }
            }
        }
    }
}

fn take<'a, 'b>(rest: &mut &'b [Token<'a>]) -> Option<&'b Token<'a>> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    Some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::tokens;

    fn named(source: &str, module: &[&str]) -> Vec<String> {
        let module: Vec<_> = module.iter().map(|part| (*part).to_owned()).collect();
        let outline = outline(&tokens(source), &module);
        outline.named.iter().map(|name| name.path.join("::")).collect()
    }

    #[test]
    fn trees_are_spread_out() {
        let source = "use crate::{a, b::{self, C, d::*}, e as f}; let x = crate::g::<T>(h);";
        assert_eq!(named(source, &[]), ["a", "b", "b::C", "b::d", "e", "g"]);
    }

    #[test]
    fn relative_paths_are_made_absolute() {
        let source = "use super::a; use self::b; use super::super::c; use super::{d, e::F};";
        assert_eq!(named(source, &["x", "y"]), ["x::a", "x::y::b", "c", "x::d", "x::e::F"]);
    }

    #[test]
    fn inline_modules_nest_and_end() {
        let source = "mod m { use super::a; fn f() { } } use super::b; mod n;";
        assert_eq!(named(source, &["x"]), ["x::a", "b"]);
        let module = ["x".to_owned()];
        let declared = outline(&tokens(source), &module).declared;
        let forms: Vec<_> = declared.iter().map(|d| (d.name.as_str(), d.form)).collect();
        assert_eq!(forms, [("m", Form::Inline), ("n", Form::File)]);
        assert!(declared.iter().all(|d| d.parent == module));
    }

    #[test]
    fn visibility_and_receivers_are_no_paths() {
        assert!(named("pub(crate) fn f(self) { self.x; a::crate_::b; }", &[]).is_empty());
    }
}
