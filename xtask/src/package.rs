// SPDX-License-Identifier: MIT OR Apache-2.0
//! The packages of the workspace, as Cargo tells them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::run::{Checkout, output};

/// What Cargo knows of the workspace.
pub(crate) struct Workspace {
    /// Its packages, in Cargo's order.
    pub(crate) packages: Vec<Package>,
    /// Where Cargo puts what it builds.
    pub(crate) target: PathBuf,
}

/// One package of the workspace.
#[derive(Debug, Clone, Default)]
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: String,
    /// Its folder, relative to the root, with forward slashes.
    pub(crate) folder: String,
    /// What it is built from: normal and build dependencies, not those of its tests.
    pub(crate) dependencies: Vec<Dependency>,
    /// Whether it has benches.
    pub(crate) has_benches: bool,
}

/// A direct dependency.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dependency {
    /// The package depended on, whatever it is called in the code.
    pub(crate) name: String,
    /// The features asked for by name.
    pub(crate) features: Vec<String>,
}

impl Package {
    /// Whether people get this package, or something built from it.
    pub(crate) fn is_shipped(&self) -> bool {
        self.folder.starts_with("crates/")
    }
}

impl Workspace {
    /// Asks Cargo. Needs no network and resolves nothing.
    pub(crate) fn read(checkout: &Checkout) -> Result<Self> {
        let mut ask = checkout.cargo(["metadata", "--format-version", "1", "--no-deps"]);
        let told: Value = serde_json::from_str(&output(&mut ask)?)?;
        let target = text(&told, "target_directory")?;
        let packages = list(&told, "packages")
            .map(|value| package(value, &checkout.root))
            .collect::<Result<_>>()?;
        Ok(Self { packages, target: PathBuf::from(target) })
    }
}

fn package(value: &Value, root: &Path) -> Result<Package> {
    let manifest = PathBuf::from(text(value, "manifest_path")?);
    let folder = manifest.parent().context("a manifest without a folder")?;
    let folder = folder.strip_prefix(root).unwrap_or(folder);
    let is_built_from = |dependency: &&Value| dependency["kind"] != "dev";
    let is_bench = |target: &Value| list(target, "kind").any(|kind| kind == "bench");
    Ok(Package {
        name: text(value, "name")?.to_owned(),
        folder: folder.to_string_lossy().replace('\\', "/"),
        dependencies: list(value, "dependencies")
            .filter(is_built_from)
            .map(dependency)
            .collect::<Result<_>>()?,
        has_benches: list(value, "targets").any(is_bench),
    })
}

fn dependency(value: &Value) -> Result<Dependency> {
    let features = list(value, "features").filter_map(Value::as_str).map(str::to_owned);
    Ok(Dependency { name: text(value, "name")?.to_owned(), features: features.collect() })
}

fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value[field].as_str().with_context(|| format!("Cargo's answer has no text {field}"))
}

fn list<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value[field].as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_dependencies_are_left_out_and_benches_seen() {
        let told = serde_json::json!({
            "name": "aura-x", "manifest_path": "/r/crates/aura-x/Cargo.toml",
            "dependencies": [
                { "name": "sha2", "kind": null, "features": ["alloc"] },
                { "name": "proptest", "kind": "dev", "features": [] },
                { "name": "cc", "kind": "build", "features": [] },
            ],
            "targets": [{ "kind": ["lib"] }, { "kind": ["bench"] }],
        });
        let found = package(&told, Path::new("/r")).unwrap();
        let names: Vec<_> = found.dependencies.iter().map(|d| d.name.as_str()).collect();
        assert_eq!(names, ["sha2", "cc"]);
        assert_eq!(found.dependencies[0].features, ["alloc"]);
        assert_eq!(found.folder, "crates/aura-x");
        assert!(found.has_benches && found.is_shipped());
    }
}
