//! Where spans go, with its secrets read.

use std::path::PathBuf;
use std::time::Duration;

use crate::model::Secret;

/// A collector and what it is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Its address, without a trailing slash.
    pub endpoint: String,
    /// What goes with each request.
    pub headers: Vec<(String, Secret)>,
    /// Certificates to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// The name of the service.
    pub service_name: String,
    /// The part of traces that is exported, from 0 to 1.
    pub sample: f64,
    /// How long it may take to answer.
    pub timeout: Duration,
}
