"""What DuckDB does for the same windows: read CSV, group by ten minutes, collect."""

import sys

import duckdb

if __name__ == "__main__":
    rows = duckdb.sql(
        """
        select
            time_bucket(interval 10 minutes, time) as window_start,
            count(*) filter (where action = 'Open') as open_count,
            count(*) filter (where action = 'Close') as close_count
        from read_csv($files, header = true, columns = {'time': 'timestamptz', 'action': 'varchar'})
        group by all
        """,
        params={"files": f"{sys.argv[1]}/**/*.csv"},
    ).fetchall()
    print(len(rows))
