//! How long the calls of each method take: histograms with fixed bounds, which a monitoring system can add up over processes
//! and time. The quantiles of `stats().latency` cannot be added up.

use std::{array, cell::Cell};

use napi::{Env, bindgen_prelude::Object};

use super::stats::figure;
use crate::binding::methods::Kind;

/// The upper bounds of the buckets in microseconds, inclusive. What is above the last one is only in the count.
const BOUNDS: [u64; 16] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000,
];

/// The histogram of one method.
#[derive(Debug, Default)]
struct Histogram {
    /// The calls of each bucket, without those of the buckets below.
    buckets: [Cell<u64>; BOUNDS.len()],
    count: Cell<u64>,
    /// Microseconds.
    sum: Cell<u64>,
}

impl Histogram {
    fn record(&self, took: u64, calls: u64) {
        let at = BOUNDS.partition_point(|&bound| bound < took);
        if let Some(bucket) = self.buckets.get(at) {
            bucket.set(bucket.get() + calls);
        }
        self.count.set(self.count.get() + calls);
        self.sum
            .set(self.sum.get().saturating_add(took.saturating_mul(calls)));
    }
}

/// The histograms of all methods.
#[derive(Debug)]
pub struct Durations([Histogram; Kind::ALL.len()]);

impl Default for Durations {
    fn default() -> Self {
        Self(array::from_fn(|_| Histogram::default()))
    }
}

impl Durations {
    /// Records calls of a method that were answered after so many microseconds.
    pub fn record(&self, kind: Kind, took: u64, calls: u64) {
        // Not those of the session registry, which the app did not make.
        if let Some(histogram) = self.0.get(kind as usize) {
            histogram.record(took, calls);
        }
    }

    /// Returns `{method: {count, sum, buckets}}` of the methods that were called, in milliseconds. `buckets` are cumulative.
    pub fn methods<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let mut methods = Object::new(env)?;
        for kind in Kind::ALL {
            let histogram = &self.0[kind as usize];
            if histogram.count.get() == 0 {
                continue;
            }
            let mut method = Object::new(env)?;
            method.set("count", figure(histogram.count.get()))?;
            method.set("sum", figure(histogram.sum.get()) / 1000.0)?;
            let mut below = 0;
            let buckets = histogram.buckets.iter().map(|bucket| {
                below += bucket.get();
                figure(below)
            });
            method.set("buckets", buckets.collect::<Vec<f64>>())?;
            methods.set(kind.name(), method)?;
        }
        Ok(methods)
    }
}

/// Returns the upper bounds of the buckets in milliseconds.
pub fn bounds() -> Vec<f64> {
    BOUNDS.iter().map(|&bound| figure(bound) / 1000.0).collect()
}
