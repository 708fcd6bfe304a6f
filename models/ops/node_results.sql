{{ config(materialized='view') }}

with recorded as (
    {{ runs_of_record(
        'nodes array<struct<node: string, resource_type: string, status: string, seconds: double, rows: bigint, message: string>>'
    ) }}
)

select
    run_id,
    inline(nodes) as (node, resource_type, status, seconds, rows, message)
from recorded
