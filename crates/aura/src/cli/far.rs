// SPDX-License-Identifier: MIT OR Apache-2.0
//! A folder on S3, WebDAV or SFTP, as it is named on a command line. Its secret never is.

use std::path::PathBuf;

use aura_store::folder::far::{FarAddress, Kind};
use clap::Args;

use super::context::Context;
use crate::exit::{Exit, Failure};
use crate::faraway::Faraway;
use crate::secret::{self, Secret};

/// How a bucket, a WebDAV or an SFTP server is reached.
#[derive(Debug, Args)]
pub(crate) struct Reached {
    /// Read the secret of the access key, or the WebDAV password, from the first line of a file
    #[arg(long, value_name = "FILE")]
    store_secret_file: Option<PathBuf>,
    /// Whom to ask for a bucket, if not Amazon: https://HOST
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// A bucket's region [default: us-east-1]
    #[arg(long, value_name = "NAME")]
    region: Option<String>,
    /// Believe the certificates in this file, in PEM, and no others
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// A configuration of `ssh` to use instead of your own
    #[arg(long, value_name = "FILE")]
    ssh_config: Option<PathBuf>,
    /// Send what is sealed, and the password in the clear, over plain HTTP, also to other machines
    #[arg(long)]
    plain_http: bool,
}

impl Reached {
    /// Whether anything was said that is of use for such a place alone.
    pub(super) fn is_named(&self) -> bool {
        let files = [&self.store_secret_file, &self.certificate, &self.ssh_config];
        self.plain_http
            || self.endpoint.is_some()
            || self.region.is_some()
            || files.iter().any(|file| file.is_some())
    }

    /// The place at an address.
    pub(super) fn at(&self, url: &str, account: Option<&str>) -> Result<Faraway, Failure> {
        let address = address(url)?;
        let absolute = |path: &Option<PathBuf>| path.as_deref().map(Context::absolute).transpose();
        let far = Faraway {
            url: address.to_string(),
            account: account.map(str::to_owned),
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            certificate: absolute(&self.certificate)?,
            ssh_config: absolute(&self.ssh_config)?,
            plain_http: self.plain_http,
        };
        let is_misplaced = match address.kind() {
            Kind::S3 => self.ssh_config.is_some(),
            Kind::Webdav => {
                self.ssh_config.is_some() || self.endpoint.is_some() || self.region.is_some()
            }
            _ => {
                let is_http = self.certificate.is_some() || self.plain_http;
                is_http || far.endpoint.is_some() || far.region.is_some() || account.is_some()
            }
        };
        if is_misplaced {
            return Err(Failure::usage(
                "An option does not go with this kind of place.",
                "s3: --account, --endpoint, --region, --certificate; webdav: --account, \
                 --certificate; sftp: --ssh-config,\nand the user stands in the address.",
            ));
        }
        if address.kind() == Kind::S3 && account.is_none() {
            return Err(Failure::usage(
                "A bucket needs the id of an access key.",
                "Name it: --account ID. Its secret is asked for, or read with --store-secret-file FILE.",
            ));
        }
        if !far.place().is_ok_and(|place| place.is_safe()) {
            return Err(Failure::new(
                Exit::Refused,
                "What is sent there would not be encrypted, the password included.",
            )
            .safe("Nothing was sent.")
            .next("Use https or webdavs. If the network is your own: --plain-http"));
        }
        Ok(far)
    }

    /// What lets a person in there: from its file, or asked for.
    pub(super) fn secret(&self, far: &Faraway) -> Result<Option<Secret>, Failure> {
        if far.account.is_none() {
            return Ok(None);
        }
        if let Some(path) = &self.store_secret_file {
            return secret::from_file(path).map(Some);
        }
        if !secret::can_ask() {
            return Err(Failure::usage(
                "There is nobody to ask for the store's secret.",
                "Name a file with it in its first line: --store-secret-file FILE",
            ));
        }
        let is_bucket = far.kind() == Kind::S3.as_str();
        secret::ask(if is_bucket { "Secret access key" } else { "WebDAV password" }).map(Some)
    }
}

/// Whether a place is meant, rather than a folder or a server of Aura's.
pub(super) fn is_meant(text: &str) -> bool {
    FarAddress::is_meant(text)
}

/// An address in its one spelling.
pub(super) fn address(url: &str) -> Result<FarAddress, Failure> {
    FarAddress::parse(url).map_err(|_| {
        Failure::usage(
            "This is no address of a place that is known.",
            "For example: s3://BUCKET/PREFIX, webdavs://HOST/PATH, sftp://USER@HOST/PATH, without \
             password",
        )
    })
}
