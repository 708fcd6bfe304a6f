{{ config(materialized='view') }}

with recorded as (
    {{ runs_of_record('failures array<struct<test: string, failures: bigint, rows: array<string>>>') }}
)

select
    run_id,
    inline(failures) as (test, failures, rows)
from recorded
