"""What Polars does for the same windows: read CSV, group by ten minutes, collect."""

import sys

import polars as pl

if __name__ == "__main__":
    rows = (
        pl.scan_csv(f"{sys.argv[1]}/**/*.csv")
        .with_columns(pl.col("time").str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_zone="UTC"))
        .group_by(pl.col("time").dt.truncate("10m"))
        .agg((pl.col("action") == "Open").sum(), (pl.col("action") == "Close").sum().alias("close_count"))
        .collect(engine="streaming")
        .rows()
    )
    print(len(rows))
