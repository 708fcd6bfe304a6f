{{ config(materialized='view') }}

with recorded as (
    {{ runs_of_record('failures array<struct<test: string, failures: bigint, rows: array<string>>>') }}
),

found as (
    select
        run_id,
        explode(failures) as of_test
    from recorded
)

select
    run_id,
    of_test.*
from found
