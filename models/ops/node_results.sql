{{ config(materialized='view') }}

with recorded as (
    {{ runs_of_record(
        'nodes array<struct<node: string, resource_type: string, status: string, seconds: double, rows: bigint, message: string>>'
    ) }}
),

results as (
    select
        run_id,
        explode(nodes) as result
    from recorded
)

select
    run_id,
    result.*
from results
