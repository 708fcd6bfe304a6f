"""What the benchmark compares with: read CSV, group by ten minutes, collect; pyspark's defaults, no Delta."""

import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

if __name__ == "__main__":
    spark = SparkSession.builder.master("local[*]").getOrCreate()
    events = spark.read.option("recursiveFileLookup", True).csv(
        sys.argv[1], header=True, schema="time timestamp, action string"
    )
    rows = (
        events.groupBy(f.window("time", "10 minutes"))
        .agg(
            f.count_if(f.col("action") == "Open").alias("open_count"),
            f.count_if(f.col("action") == "Close").alias("close_count"),
        )
        .collect()
    )
    print(len(rows))
