//! Histograms of times with fixed bounds, which a monitoring system can add up over processes and time. Quantiles cannot be
//! added up.

/// The upper bounds of the buckets in microseconds, inclusive. What is above the last one is only in the count.
pub const BOUNDS: [u64; 16] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000,
];

/// A histogram of times in microseconds.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Histogram {
    /// The times in each bucket, without those in the buckets below.
    buckets: [u64; BOUNDS.len()],
    count: u64,
    sum: u64,
}

impl Histogram {
    /// Adds the same time, so many times.
    pub fn record(&mut self, micros: u64, times: u64) {
        let at = BOUNDS.partition_point(|&bound| bound < micros);
        if let Some(bucket) = self.buckets.get_mut(at) {
            *bucket += times;
        }
        self.count += times;
        self.sum = self.sum.saturating_add(micros.saturating_mul(times));
    }

    /// Returns how many times were added.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Returns their sum.
    #[must_use]
    pub const fn sum(&self) -> u64 {
        self.sum
    }

    /// Iterates over how many were at most each of the bounds.
    pub fn cumulative(&self) -> impl Iterator<Item = u64> + '_ {
        self.buckets.iter().scan(0, |below, bucket| {
            *below += bucket;
            Some(*below)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_its_bucket_and_all_above() {
        let mut histogram = Histogram::default();
        histogram.record(100, 2);
        histogram.record(101, 1);
        histogram.record(u64::MAX, 1);
        let buckets: Vec<u64> = histogram.cumulative().collect();
        assert_eq!((buckets[0], buckets[1], buckets[15]), (2, 3, 3));
        assert_eq!((histogram.count(), histogram.sum()), (4, u64::MAX));
    }
}
