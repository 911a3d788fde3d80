// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which address is seen to where, and through which layers a request comes.
//!
//! What is served here besides pages gets a door of its own beside `pages`: it has the layers of everybody (`fence`), and its
//! own in the place of cookies and forms.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};

use super::hall::Hall;
use super::{
    asset, assistants, audit, devices, download, edit, enter, guard, imports, record, safety,
    today, vault,
};

/// Everything.
pub(crate) fn router(hall: &Arc<Hall>) -> Router {
    let doors = pages(hall).merge(door(hall)).fallback(record::absent);
    fence(doors, hall)
}

/// What every request comes through, whatever it is for.
fn fence(doors: Router, hall: &Arc<Hall>) -> Router {
    doors
        .layer(from_fn_with_state(Arc::clone(hall), guard::host))
        .layer(from_fn(guard::time))
        .layer(from_fn(guard::headers))
}

/// What a browser needs before it was let in.
fn door(hall: &Arc<Hall>) -> Router {
    Router::new()
        .route("/enter", post(enter::enter))
        .route("/assets/{name}", get(asset::file))
        .with_state(Arc::clone(hall))
}

/// What only a browser gets that was let in. Whatever is asked for with GET changes nothing.
fn pages(hall: &Arc<Hall>) -> Router {
    Router::new()
        .route("/", get(today::page))
        .route("/vault", get(vault::page))
        .route("/vault/hits", get(vault::hits))
        .route("/vault/trash", get(record::trash))
        .route("/record/{id}", get(record::page))
        .route("/record/{id}/history", get(record::history))
        .route("/record/{id}/edit", get(edit::page).post(edit::save))
        .route("/record/{id}/undo", post(record::undo))
        .route("/record/{id}/delete", post(record::delete))
        .route("/record/{id}/file/{blob}", get(download::file))
        .route("/assistants", get(assistants::page))
        .route("/assistants/{id}/revoke", post(assistants::revoke))
        .route("/audit", get(audit::page))
        .route("/devices", get(devices::page))
        .route("/safety", get(safety::page))
        .route("/imports", get(imports::page))
        .route("/lock", post(enter::lock))
        .route("/close", post(enter::close))
        .route_layer(from_fn_with_state(Arc::clone(hall), guard::session))
        .route_layer(from_fn_with_state(Arc::clone(hall), guard::origin))
        .layer(DefaultBodyLimit::max(guard::FORM_BYTES_MAX))
        .with_state(Arc::clone(hall))
}
