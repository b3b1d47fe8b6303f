//! How long the calls of each method take, and histograms ([`crate::histogram`]) as JavaScript gets them.

use std::{array, cell::RefCell};

use napi::{Env, bindgen_prelude::Object};

use super::stats::figure;
use crate::{
    binding::methods::Kind,
    histogram::{BOUNDS, Histogram},
};

/// The histograms of all methods.
#[derive(Debug)]
pub struct Durations(RefCell<[Histogram; Kind::ALL.len()]>);

impl Default for Durations {
    fn default() -> Self {
        Self(RefCell::new(array::from_fn(|_| Histogram::default())))
    }
}

impl Durations {
    /// Records calls of a method that were answered after so many microseconds.
    pub fn record(&self, kind: Kind, took: u64, calls: u64) {
        // Not those of the session registry, which the app did not make.
        if let Some(histogram) = self.0.borrow_mut().get_mut(kind as usize) {
            histogram.record(took, calls);
        }
    }

    /// Returns [`figures`] by the names of the methods that were called.
    pub fn methods<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let mut methods = Object::new(env)?;
        for (kind, histogram) in Kind::ALL.iter().zip(self.0.borrow().iter()) {
            if histogram.count() > 0 {
                methods.set(kind.name(), figures(env, histogram)?)?;
            }
        }
        Ok(methods)
    }
}

/// Returns a histogram as `{count, sum, buckets}` in milliseconds. `buckets` are cumulative.
pub fn figures<'env>(env: &'env Env, histogram: &Histogram) -> napi::Result<Object<'env>> {
    let mut object = Object::new(env)?;
    object.set("count", figure(histogram.count()))?;
    object.set("sum", figure(histogram.sum()) / 1000.0)?;
    let buckets = histogram.cumulative().map(figure);
    object.set("buckets", buckets.collect::<Vec<f64>>())?;
    Ok(object)
}

/// Returns the upper bounds of the buckets in milliseconds.
pub fn bounds() -> Vec<f64> {
    BOUNDS.iter().map(|&bound| figure(bound) / 1000.0).collect()
}
